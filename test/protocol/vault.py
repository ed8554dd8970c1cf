"""Drives the Vault door with hvac, unmodified: ADDRESS, TOKEN and SIDE come by the environment."""

import os
import warnings

import hvac
from hvac import exceptions

address, token = os.environ["ADDRESS"], os.environ["TOKEN"]
inside = os.environ["SIDE"] == "sandbox"
warnings.simplefilter("ignore", DeprecationWarning)
client = hvac.Client(url=address, token=token)
kv = client.secrets.kv.v2


def refused(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"{call} was not refused with {kind}")


assert client.is_authenticated()
assert client.sys.is_initialized() and not client.sys.is_sealed()
assert client.sys.read_health_status(method="GET")["sealed"] is False
about = client.auth.token.lookup_self()["data"]
assert about["meta"]["user"] == "ada", about

# Write, read, versions.
assert kv.create_or_update_secret("app/db", {"password": "LIST one"})["data"]["version"] == 1
assert kv.create_or_update_secret("app/db", {"password": "two", "user": "u"}, cas=1)["data"]["version"] == 2
error = refused(exceptions.InvalidRequest, kv.create_or_update_secret, "app/db", {}, cas=1)
assert "did not match the current version" in str(error), error
assert kv.read_secret_version("app/db")["data"]["data"] == {"password": "two", "user": "u"}
assert kv.read_secret_version("app/db", version=1)["data"]["data"]["password"] == "LIST one"
refused(exceptions.InvalidPath, kv.read_secret_version, "app/none")
refused(exceptions.InvalidPath, kv.read_secret_version, "app/db", version=9)

# Patch is read and check-and-set here, a merge patch on the wire below.
assert kv.patch("app/db", {"user": "v"})["data"]["version"] == 3
assert kv.read_secret("app/db")["data"]["data"] == {"password": "two", "user": "v"}
merged = client.session.patch(
    f"{address}/v1/secret/data/app/db",
    headers={"X-Vault-Token": token, "Content-Type": "application/merge-patch+json"},
    data='{"data": {"user": null, "deep": {"a": {"b": 1}}}}',
)
assert merged.status_code == 200 and merged.json()["data"]["version"] == 4, merged.text
assert kv.read_secret("app/db")["data"]["data"] == {"password": "two", "deep": {"a": {"b": 1}}}
subkeys = client.read("secret/subkeys/app/db")["data"]["subkeys"]
assert subkeys == {"password": None, "deep": {"a": {"b": None}}}, subkeys

# Delete, undelete, destroy.
kv.delete_latest_version_of_secret("app/db")
error = refused(exceptions.InvalidPath, kv.read_secret_version, "app/db", raise_on_deleted_version=True)
assert error.json["data"]["data"] is None and error.json["data"]["metadata"]["deletion_time"], error.json
deleted = kv.read_secret_version("app/db", raise_on_deleted_version=False)["data"]
assert deleted["data"] is None and deleted["metadata"]["version"] == 4, deleted
kv.undelete_secret_versions("app/db", [4])
assert kv.read_secret_version("app/db")["data"]["metadata"]["deletion_time"] == ""
kv.delete_secret_versions("app/db", [1, 2])
kv.destroy_secret_versions("app/db", [1])
versions = kv.read_secret_metadata("app/db")["data"]["versions"]
assert versions["1"]["destroyed"] and versions["2"]["deletion_time"] and not versions["3"]["deletion_time"], versions
refused(exceptions.InvalidRequest, client.write, "secret/destroy/app/db", versions=[])

# Metadata and configuration.
kv.update_metadata("app/db", max_versions=2, delete_version_after="3h25m19s", custom_metadata={"team": "x"})
metadata = kv.read_secret_metadata("app/db")["data"]
assert metadata["delete_version_after"] == "3h25m19s" and metadata["custom_metadata"] == {"team": "x"}, metadata
assert sorted(metadata["versions"]) == ["3", "4"] and metadata["oldest_version"] == 3, metadata
kv.update_metadata("app/cas", cas_required=True)
error = refused(exceptions.InvalidRequest, kv.create_or_update_secret, "app/cas", {"a": 1})
assert "check-and-set parameter required" in str(error), error
kv.create_or_update_secret("app/cas", {"a": 1}, cas=0)
kv.configure(max_versions=7, cas_required=False)
assert kv.read_configuration()["data"]["max_versions"] == 7

# Lists, on one connection with all the rest: the verb LIST, and GET with list=true.
kv.create_or_update_secret("app/nested/one", {"a": 1})
kv.create_or_update_secret("app/nested/deep/two", {"a": 1})
assert kv.list_secrets("app")["data"]["keys"] == ["cas", "db", "nested/"]
assert kv.list_secrets("app/nested/")["data"]["keys"] == ["deep/", "one"]
assert kv.list_secrets("")["data"]["keys"] == (["app/", "s3"] if inside else ["app/"])
assert client.adapter.get("/v1/secret/metadata/app?list=true")["data"]["keys"] == ["cas", "db", "nested/"]
refused(exceptions.InvalidPath, kv.list_secrets, "empty")
kv.delete_metadata_and_all_versions("app/nested/one")
refused(exceptions.InvalidPath, kv.read_secret_version, "app/nested/one")

# Mounts, as command lines look for them.
assert client.read("sys/internal/ui/mounts/secret/app")["data"]["options"]["version"] == "2"
assert "secret/" in client.sys.list_mounted_secrets_engines()["data"]
refused(exceptions.Forbidden, client.read, "sys/internal/ui/mounts/other")
capabilities = client.sys.get_capabilities(["secret/data/app/db", "sys/raw"], token=None)["data"]
assert "read" in capabilities["secret/data/app/db"] and capabilities["sys/raw"] == ["deny"], capabilities

# Errors: their form and what is not served.
error = refused(exceptions.InvalidPath, client.write, "transit/keys/x", a=1)
assert "no handler for route" in str(error), error
error = refused(exceptions.VaultError, client.delete, "auth/token/lookup-self")
assert "unsupported operation" in str(error), error
assert client.session.delete(f"{address}/v1/sys/mounts", headers={"X-Vault-Token": token}).status_code == 405
plain = client.session.get(f"{address}/v1/secret/data/app/none", headers={"X-Vault-Token": token})
assert plain.headers["content-type"] == "application/json" and plain.json() == {"errors": []}
assert plain.headers["x-request-id"]

# Child tokens narrow, expire and are revoked.
made = client.auth.token.create(policies=["secret.read"], ttl="1h", meta={"for": "test"})["auth"]
child = hvac.Client(url=address, token=made["client_token"])
assert made["policies"] == ["default", "secret.read"] and made["lease_duration"] == 3600, made
assert child.auth.token.lookup_self()["data"]["meta"]["for"] == "test"
assert child.secrets.kv.v2.read_secret("app/db")["data"]["data"]["password"] == "two"
refused(exceptions.Forbidden, child.secrets.kv.v2.create_or_update_secret, "app/db", {})
refused(exceptions.Forbidden, child.secrets.kv.v2.list_secrets, "app")
refused(exceptions.InvalidRequest, child.auth.token.create, policies=["secret.write"])
assert child.auth.token.renew_self(increment="2h")["auth"]["lease_duration"] == 7200
grandchild = hvac.Client(url=address, token=child.auth.token.create()["auth"]["client_token"])
assert grandchild.secrets.kv.v2.read_secret("app/db")
child.auth.token.revoke_self()
refused(exceptions.Forbidden, child.auth.token.lookup_self)
refused(exceptions.Forbidden, grandchild.secrets.kv.v2.read_secret, "app/db")
once = hvac.Client(url=address, token=client.auth.token.create(num_uses=1)["auth"]["client_token"])
assert once.secrets.kv.v2.read_secret("app/db")
refused(exceptions.Forbidden, once.secrets.kv.v2.read_secret, "app/db")

nobody = hvac.Client(url=address, token="unknown")
if inside:
    assert nobody.is_authenticated(), "in a sandbox the connection is the identity"
    keys = kv.read_secret("s3")["data"]["data"]
    assert keys["key"] == keys["aws_access_key_id"] == "AK-sb-1" and keys["endpoint_url"], keys
    refused(exceptions.InvalidRequest, kv.create_or_update_secret, "s3", {"key": "mine"})
else:
    assert not nobody.is_authenticated()
    refused(exceptions.Forbidden, nobody.secrets.kv.v2.read_secret, "app/db")
    refused(exceptions.InvalidPath, kv.read_secret, "s3")
print("all of it held")
