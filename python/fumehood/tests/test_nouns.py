import pytest

from fumehood import (
    ApprovalRequiredError,
    AuthenticationError,
    CapabilityMissingError,
    DeniedError,
    Fumehood,
    InvalidRequestError,
    NotFoundError,
    PreconditionFailedError,
    QuotaExceededError,
)
from fumehood.errors import FumehoodError


def test_who_and_where(engineer, operator):
    assert engineer.users.whoami().user == "ann"
    status = operator.status()
    assert status.driver.usable and status.sandboxes.running >= 0


def test_a_data_set_with_a_tag_needs_an_approval_by_a_second_person(engineer, officer, tmp_path):
    folder = tmp_path / "people"
    (folder / "sub folder").mkdir(parents=True)
    (folder / "a.csv").write_text("1,2\n")
    (folder / "sub folder" / "b+c.csv").write_text("3\n")
    added = engineer.datasets.add("people", folder, tags=["PII"])
    assert (added.version, added.file_count, added.tags) == (1, 2, ["PII"])
    assert engineer.datasets.add("people", folder, tags=["PII"]).version == 1

    with pytest.raises(ApprovalRequiredError) as caught:
        engineer.sandboxes.create(mounts=["people"], purpose="count")
    assert isinstance(caught.value, DeniedError)
    assert caught.value.decision_id and caught.value.hint
    why = engineer.policies.explain(caught.value.decision_id)
    assert why["allowed"] is False and why["summary"]

    asked = engineer.access.request("people", purpose="count")
    assert asked.state == "pending"
    with pytest.raises(DeniedError):
        engineer.approvals.approve(asked.id, reason="it is mine")
    assert officer.approvals.approve(asked.id, reason="fine by me").state == "approved"
    with engineer.sandboxes.create(mounts=["people"], purpose="count") as sandbox:
        assert sandbox.info().labels == ["PII"]
        assert sandbox.commands.run("find /data/people -type f | sort").stdout.split("\n")[0] == "/data/people/a.csv"
        assert sandbox.commands.run("cat '/data/people/sub folder/b+c.csv'").stdout == "3\n"
        graph = engineer.lineage.get(f"sandbox:{sandbox.id}")
        assert "dataset" in [node.kind for node in graph.nodes]
        assert all(edge.from_ and edge.to for edge in graph.edges)


def test_secrets_have_versions_and_are_not_in_a_repr(engineer):
    assert engineer.secrets.put("team/db", {"password": "hunter2"}, cas=0).version == 1
    read = engineer.secrets.get("team/db")
    assert read.data == {"password": "hunter2"}
    assert "hunter2" not in repr(read)
    with pytest.raises((PreconditionFailedError, InvalidRequestError)):
        engineer.secrets.put("team/db", {"password": "other"}, cas=0)
    assert engineer.secrets.list() != []
    engineer.secrets.delete("team/db", all=True)
    with pytest.raises(NotFoundError):
        engineer.secrets.get("team/db")


def test_the_log_is_read_page_by_page_and_verified(officer, engineer):
    entries = list(officer.audit.list(action="sandbox.create"))
    assert entries and all(entry.action == "sandbox.create" for entry in entries)
    assert officer.audit.get(entries[0].seq).leaf_hash == entries[0].leaf_hash
    assert officer.audit.verify().ok
    assert next(officer.audit.export())
    with pytest.raises(DeniedError):
        list(engineer.audit.list())


def test_tokens_narrow(engineer):
    token = engineer.tokens.create(scopes=["sandbox.list"], until="1h")
    assert token.token is not None and token.token not in repr(token)
    narrow = Fumehood(token=token.token)
    narrow.sandboxes.list()
    with pytest.raises(DeniedError):
        narrow.sandboxes.create()
    engineer.tokens.revoke(token.id)
    with pytest.raises(AuthenticationError):
        narrow.sandboxes.list()


def test_lists_are_typed(engineer, officer, operator):
    assert "people" in [one.name for one in engineer.datasets.list()]
    assert engineer.models.list() == []
    assert list(engineer.runs.list()) == []
    assert isinstance(engineer.environments.list(), list)
    lines = engineer.environments.follow("none-is-built")
    assert next(lines).kind == "ready"
    lines.close()
    assert isinstance(officer.policies.list(), list)
    assert "ann" in [one.name for one in operator.users.list()]
    assert engineer.quotas.get().limits.sandboxes > 0


def test_what_cannot_be_enforced_or_is_too_much_is_refused_by_name(engineer):
    with pytest.raises(CapabilityMissingError):
        engineer.sandboxes.create(gpus=1)
    with pytest.raises(QuotaExceededError):
        engineer.sandboxes.create(memory="100t")
    with pytest.raises(InvalidRequestError) as caught:
        engineer.sandboxes.create(memory="much", cpus=-1)
    assert {field["field"] for field in caught.value.fields} == {"body.memory", "body.cpus"}


def test_every_error_says_where_to_look(engineer):
    with pytest.raises(FumehoodError) as caught:
        engineer.runs.get("no-such-run")
    assert caught.value.status == 404 and caught.value.request_id and caught.value.hint
