"""What the client takes for granted is what the server says of itself."""

import dataclasses
import inspect
import json
import os
import urllib.request

import pytest

from fumehood import Sandbox, models
from fumehood._decode import wire_name
from fumehood.errors import BY_CODE

ANSWERS = {
    models.SandboxInfo: ("get", "/api/v1/sandboxes/{id}"),
    models.SandboxStats: ("get", "/api/v1/sandboxes/{id}/stats"),
    models.SandboxEvent: ("get", "/api/v1/sandboxes/{id}/logs"),
    models.OpenPort: ("post", "/api/v1/sandboxes/{id}/open"),
    models.Removed: ("delete", "/api/v1/sandboxes/{id}"),
    models.FileInfo: ("get", "/api/v1/sandboxes/{id}/files"),
    models.Environment: ("get", "/api/v1/environments/{name}"),
    models.BuildLine: ("get", "/api/v1/environments/{name}/build"),
    models.Dataset: ("get", "/api/v1/datasets/{name}"),
    models.DatasetFile: ("get", "/api/v1/datasets/{name}/versions/{version}/files"),
    models.Run: ("get", "/api/v1/runs/{id}"),
    models.Model: ("get", "/api/v1/models/{name}"),
    models.SecretVersion: ("get", "/api/v1/secrets/{path}"),
    models.Policy: ("get", "/api/v1/policies/{name}"),
    models.AccessRequest: ("get", "/api/v1/access-requests/{id}"),
    models.AuditEntry: ("get", "/api/v1/audit/entries/{seq}"),
    models.Verification: ("post", "/api/v1/audit/verify"),
    models.LineageGraph: ("get", "/api/v1/lineage"),
    models.User: ("post", "/api/v1/users"),
    models.Whoami: ("get", "/api/v1/whoami"),
    models.Token: ("post", "/api/v1/tokens"),
    models.Quota: ("get", "/api/v1/quotas"),
    models.Status: ("get", "/api/v1/status"),
    models.SandboxLook: ("get", "/api/v1/sandbox-stats"),
    models.FileChange: ("get", "/api/v1/sandboxes/{id}/files/watch"),
    models.Image: ("get", "/api/v1/images/{digest}"),
    models.RunLink: ("post", "/api/v1/runs/{id}/open"),
    models.InclusionProof: ("get", "/api/v1/audit/entries/{seq}/proof"),
    models.Checkpoint: ("get", "/api/v1/audit/checkpoint"),
    models.Erased: ("delete", "/api/v1/audit/personal/{user}"),
    models.S3KeyPair: ("post", "/api/v1/access-keys"),
    models.S3Key: ("get", "/api/v1/access-keys"),
    models.Rotation: ("post", "/api/v1/keys/rotate"),
}


@pytest.fixture(scope="module")
def document(operator):
    with urllib.request.urlopen(operator._transport.connection.url + "/api/v1/openapi.json") as answer:
        return json.load(answer)


@pytest.mark.parametrize("kind", ANSWERS, ids=lambda kind: kind.__name__)
def test_every_member_is_one_that_the_server_names(document, kind):
    method, path = ANSWERS[kind]
    responses = document["paths"][path][method]["responses"]
    (success,) = [answer for status, answer in responses.items() if status.startswith("2")]
    (content,) = success["content"].values()
    schema = content["schema"]
    if "items" in schema["properties"] and kind is not models.SandboxLook:
        schema = schema["properties"]["items"]["items"]
    always = set(schema.get("required", []))
    for field in dataclasses.fields(kind):
        name = wire_name(field.name)
        assert name in schema["properties"], name
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            assert name in always, f"{name} may be missing"
    assert {wire_name(field.name) for field in dataclasses.fields(kind)} >= always - {"submitted", "versions"}


def test_a_sandbox_can_be_asked_for_all_that_the_server_knows_and_no_more(document):
    schema = document["paths"]["/api/v1/sandboxes"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    parameters = set(inspect.signature(Sandbox.create).parameters) - {"transport"}
    assert parameters == set(models.SandboxOptions.__annotations__)
    assert parameters == set(schema["properties"])


def test_every_error_code_of_the_server_has_a_class_of_its_own():
    codes = json.loads(os.environ["FUMEHOOD_TEST_CODES"])
    assert set(codes) == set(BY_CODE)
