"""Every operation of the server has its method here: who adds a route decides what it is called in Python."""

import json
import urllib.request

from fumehood import Sandbox
from fumehood._sync.audit import Audit, Lineage
from fumehood._sync.client import Fumehood, Sandboxes
from fumehood._sync.command import Commands
from fumehood._sync.datasets import Datasets
from fumehood._sync.environments import Environments, Images
from fumehood._sync.files import Files
from fumehood._sync.governance import Access, Approvals, Policies, Secrets
from fumehood._sync.identity import Quotas, Tokens, Users
from fumehood._sync.platform import Backups, Keys
from fumehood._sync.tracking import Models, Runs

METHODS = {
    "POST /api/v1/sandboxes": Sandbox.create,
    "GET /api/v1/sandboxes": Sandbox.list,
    "GET /api/v1/sandboxes/{id}": Sandbox.connect,
    "DELETE /api/v1/sandboxes/{id}": Sandbox.kill,
    "POST /api/v1/sandboxes/{id}/stop": Sandbox.stop,
    "POST /api/v1/sandboxes/{id}/keepalive": Sandbox.keepalive,
    "GET /api/v1/sandboxes/{id}/stats": Sandbox.stats,
    "GET /api/v1/sandboxes/{id}/logs": Sandbox.logs,
    "POST /api/v1/sandboxes/{id}/open": Sandbox.open,
    "GET /api/v1/sandboxes/{id}/exec": Commands.run,
    "GET /api/v1/sandboxes/{id}/python": Commands.run_code,
    "GET /api/v1/sandboxes/{id}/files": Files.list,
    "DELETE /api/v1/sandboxes/{id}/files": Files.remove,
    "GET /api/v1/sandboxes/{id}/files/content": Files.read,
    "PUT /api/v1/sandboxes/{id}/files/content": Files.write,
    "GET /api/v1/sandboxes/{id}/files/watch": Files.watch,
    "GET /api/v1/sandbox-stats": Sandboxes.stats,
    "POST /api/v1/environments": Environments.create,
    "GET /api/v1/environments": Environments.list,
    "GET /api/v1/environments/{name}": Environments.get,
    "DELETE /api/v1/environments/{name}": Environments.delete,
    "GET /api/v1/environments/{name}/build": Environments.follow,
    "PUT /api/v1/images": Images.add,
    "GET /api/v1/images": Images.list,
    "GET /api/v1/images/{digest}": Images.get,
    "DELETE /api/v1/images/{digest}": Images.delete,
    "GET /api/v1/datasets": Datasets.list,
    "GET /api/v1/datasets/{name}": Datasets.get,
    "GET /api/v1/datasets/{name}/versions": Datasets.versions,
    "GET /api/v1/datasets/{name}/versions/{version}": Datasets.get,
    "DELETE /api/v1/datasets/{name}/versions/{version}": Datasets.delete,
    "GET /api/v1/datasets/{name}/versions/{version}/files": Datasets.files,
    "POST /api/v1/datasets/{name}/versions/{version}/tags": Datasets.tag,
    "POST /api/v1/datasets/{name}/uploads": Datasets.add,
    "PUT /api/v1/dataset-uploads/{id}/files/{path}": Datasets.add,
    "POST /api/v1/dataset-uploads/{id}/finish": Datasets.add,
    "DELETE /api/v1/dataset-uploads/{id}": Datasets.add,
    "POST /api/v1/access-keys": Tokens.create_s3_key,
    "GET /api/v1/access-keys": Tokens.list_s3_keys,
    "DELETE /api/v1/access-keys/{id}": Tokens.revoke_s3_key,
    "GET /api/v1/runs": Runs.list,
    "GET /api/v1/runs/{id}": Runs.get,
    "POST /api/v1/runs/{id}/open": Runs.open,
    "GET /api/v1/models": Models.list,
    "GET /api/v1/models/{name}": Models.get,
    "GET /api/v1/secrets": Secrets.list,
    "PUT /api/v1/secrets/{path}": Secrets.put,
    "GET /api/v1/secrets/{path}": Secrets.get,
    "DELETE /api/v1/secrets/{path}": Secrets.delete,
    "POST /api/v1/policies": Policies.apply,
    "GET /api/v1/policies": Policies.list,
    "GET /api/v1/policies/{name}": Policies.get,
    "DELETE /api/v1/policies/{name}": Policies.delete,
    "POST /api/v1/policies/{name}/rollback": Policies.rollback,
    "GET /api/v1/policies/decisions/{id}/explain": Policies.explain,
    "POST /api/v1/access-requests": Access.request,
    "GET /api/v1/access-requests": Access.list,
    "GET /api/v1/access-requests/{id}": Access.get,
    "POST /api/v1/access-requests/{id}/approve": Approvals.approve,
    "POST /api/v1/access-requests/{id}/deny": Approvals.deny,
    "POST /api/v1/access-requests/{id}/revoke": Approvals.revoke,
    "GET /api/v1/audit": Audit.list,
    "GET /api/v1/audit/entries/{seq}": Audit.get,
    "GET /api/v1/audit/entries/{seq}/proof": Audit.proof,
    "POST /api/v1/audit/verify": Audit.verify,
    "GET /api/v1/audit/checkpoint": Audit.checkpoint,
    "GET /api/v1/audit/export": Audit.export,
    "DELETE /api/v1/audit/personal/{user}": Audit.erase,
    "GET /api/v1/lineage": Lineage.get,
    "GET /api/v1/lineage/openlineage": Lineage.openlineage,
    "POST /api/v1/users": Users.create,
    "GET /api/v1/users": Users.list,
    "GET /api/v1/users/{name}": Users.get,
    "PATCH /api/v1/users/{name}": Users.update,
    "DELETE /api/v1/users/{name}": Users.delete,
    "GET /api/v1/whoami": Users.whoami,
    "POST /api/v1/tokens": Tokens.create,
    "GET /api/v1/tokens": Tokens.list,
    "DELETE /api/v1/tokens/{id}": Tokens.revoke,
    "GET /api/v1/quotas": Quotas.get,
    "GET /api/v1/quotas/{target}": Quotas.get,
    "PUT /api/v1/quotas/{target}": Quotas.set,
    "GET /api/v1/status": Fumehood.status,
    "POST /api/v1/backups": Backups.create,
    "POST /api/v1/keys/rotate": Keys.rotate,
    "GET /metrics": Fumehood.metrics,
}


def test_no_operation_of_the_server_is_without_its_method(operator):
    with urllib.request.urlopen(operator._transport.connection.url + "/api/v1/openapi.json") as answer:
        document = json.load(answer)
    operations = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert operations == set(METHODS)
    assert all(callable(method) for method in METHODS.values())


def test_the_control_plane_is_measured_backed_up_and_its_key_rotated(operator, engineer, sandbox, tmp_path):
    look, *more = engineer.sandboxes.stats("sdk", every_ms=500, samples=2)
    assert len(more) == 1 and [one.name for one in look.items] == ["sdk"]
    assert "fumehood_build_info" in operator.metrics()
    saved = tmp_path / "home.tar"
    assert operator.backups.create(saved) == saved.stat().st_size > 10240
    assert [path.name for path in tmp_path.iterdir()] == ["home.tar"]
    before = operator.keys.rotate().version
    assert operator.keys.rotate().version == before + 1


def test_people_their_keys_and_limits_are_changed(operator, engineer, officer):
    pair = engineer.tokens.create_s3_key(read_only=True)
    assert pair.secret_access_key not in repr(pair)
    assert [(one.access_key_id, one.read_only) for one in engineer.tokens.list_s3_keys()] == [(pair.access_key_id, True)]
    engineer.tokens.revoke_s3_key(pair.access_key_id)
    assert engineer.tokens.list_s3_keys() == []
    operator.users.create("mo", role="engineer", team="lab")
    assert operator.users.update("mo", roles=["officer"], disabled=True).disabled
    assert operator.quotas.set("user:mo", cpus=1.5).limits.cpus == 1.5
    newest = officer.audit.checkpoint()
    assert newest.public_key
    proof = officer.audit.proof(0)
    assert proof.seq == 0 and proof.size > 0 and proof.public_key == newest.public_key
    assert operator.images.list() == []
