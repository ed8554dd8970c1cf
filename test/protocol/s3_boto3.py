"""What boto3 does against the S3 door, with assertions; the endpoint and the key pairs come in the environment."""
import hashlib
import io
import os
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["ENDPOINT"]
KEY, SECRET = os.environ["KEY"], os.environ["SECRET"]


def client(key=KEY, secret=SECRET, **config):
    return boto3.client("s3", endpoint_url=ENDPOINT, aws_access_key_id=key, aws_secret_access_key=secret,
                        region_name="us-east-1", config=Config(retries={"max_attempts": 1}, **config))


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response
    raise AssertionError(f"{call.__name__} was not refused")


s3 = client()
s3.create_bucket(Bucket="lab")
refused("BucketAlreadyOwnedByYou", s3.create_bucket, Bucket="lab")
refused("InvalidBucketName", s3.create_bucket, Bucket="1.2.3.4")
assert {"lab", "mlflow", "datasets"} <= {b["Name"] for b in s3.list_buckets()["Buckets"]}
s3.head_bucket(Bucket="lab")
refused("404", s3.head_bucket, Bucket="nothing-here")
s3.get_bucket_location(Bucket="lab")
assert "Status" not in s3.get_bucket_versioning(Bucket="lab")
assert s3.get_bucket_acl(Bucket="lab")["Grants"][0]["Permission"] == "FULL_CONTROL"

# put, get, head, ranges, conditions
body = os.urandom(3_000_000)
put = s3.put_object(Bucket="lab", Key="a b/ü+&%?=.bin", Body=body, ContentType="text/x-test", CacheControl="no-cache",
                    Metadata={"who": "ada"})
assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"', put
assert put["ChecksumCRC32"]
got = s3.get_object(Bucket="lab", Key="a b/ü+&%?=.bin")
assert got["Body"].read() == body and got["ContentType"] == "text/x-test" and got["Metadata"] == {"who": "ada"}
assert got["ChecksumCRC32"] == put["ChecksumCRC32"]
head = s3.head_object(Bucket="lab", Key="a b/ü+&%?=.bin")
assert head["ContentLength"] == len(body) and head["ETag"] == put["ETag"] and head["CacheControl"] == "no-cache"
for header, expected in {"bytes=0-9": body[:10], "bytes=1048570-1048590": body[1048570:1048591],
                         "bytes=2999990-": body[2999990:], "bytes=-7": body[-7:], "bytes=5-9999999": body[5:]}.items():
    part = s3.get_object(Bucket="lab", Key="a b/ü+&%?=.bin", Range=header)
    assert part["Body"].read() == expected and part["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert "ChecksumCRC32" not in part
refused("InvalidRange", s3.get_object, Bucket="lab", Key="a b/ü+&%?=.bin", Range="bytes=3000000-")
refused("304", s3.get_object, Bucket="lab", Key="a b/ü+&%?=.bin", IfNoneMatch=put["ETag"])
refused("PreconditionFailed", s3.get_object, Bucket="lab", Key="a b/ü+&%?=.bin", IfMatch='"x"')
refused("304", s3.get_object, Bucket="lab", Key="a b/ü+&%?=.bin", IfModifiedSince=head["LastModified"])
refused("NoSuchKey", s3.get_object, Bucket="lab", Key="missing")
refused("NoSuchBucket", s3.get_object, Bucket="no-bucket", Key="missing")
refused("PreconditionFailed", s3.put_object, Bucket="lab", Key="a b/ü+&%?=.bin", Body=b"x", IfNoneMatch="*")
s3.put_object(Bucket="lab", Key="empty", Body=b"")
assert s3.get_object(Bucket="lab", Key="empty")["Body"].read() == b""

# every checksum, computed by the client and by the server
for algorithm in ["CRC32", "SHA1", "SHA256"]:
    answer = s3.put_object(Bucket="lab", Key=f"sum/{algorithm}", Body=b"hello", ChecksumAlgorithm=algorithm)
    assert answer[f"Checksum{algorithm}"], answer
for name, value in {"ChecksumCRC32C": "yZRlqg==", "ChecksumCRC64NVME": "jSnVw/bqjr4="}.items():
    assert s3.put_object(Bucket="lab", Key="sum/given", Body=b"hello world", **{name: value})[name] == value
    refused("BadDigest", s3.put_object, Bucket="lab", Key="sum/bad", Body=b"hello worlds", **{name: value})
    answer = s3.get_object(Bucket="lab", Key="sum/given", ChecksumMode="ENABLED")
    assert answer[name] == value and answer["ChecksumType"] == "FULL_OBJECT"
refused("BadDigest", s3.put_object, Bucket="lab", Key="sum/md5", Body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
refused("NoSuchKey", s3.get_object, Bucket="lab", Key="sum/bad")
signed = client(s3={"payload_signing_enabled": True})
signed.put_object(Bucket="lab", Key="signed", Body=b"signed payload")

# copy
s3.copy_object(Bucket="lab", Key="copy", CopySource={"Bucket": "lab", "Key": "a b/ü+&%?=.bin"})
assert s3.get_object(Bucket="lab", Key="copy")["Metadata"] == {"who": "ada"}
s3.copy_object(Bucket="lab", Key="copy", CopySource="lab/copy", MetadataDirective="REPLACE", Metadata={"now": "else"})
assert s3.head_object(Bucket="lab", Key="copy")["Metadata"] == {"now": "else"}
refused("InvalidRequest", s3.copy_object, Bucket="lab", Key="copy", CopySource="lab/copy")
refused("NoSuchKey", s3.copy_object, Bucket="lab", Key="x", CopySource="lab/missing")

# tags
s3.put_object_tagging(Bucket="lab", Key="copy", Tagging={"TagSet": [{"Key": "stage", "Value": "<raw> & more"}]})
assert s3.get_object_tagging(Bucket="lab", Key="copy")["TagSet"] == [{"Key": "stage", "Value": "<raw> & more"}]
s3.delete_object_tagging(Bucket="lab", Key="copy")
assert s3.get_object_tagging(Bucket="lab", Key="copy")["TagSet"] == []

# listings
s3.create_bucket(Bucket="lists")
keys = [f"d{i}/f{j}" for i in range(5) for j in range(5)] + ["top 1", "top<2>&", "ü"]
for key in keys:
    s3.put_object(Bucket="lists", Key=key, Body=key.encode())
pages = s3.get_paginator("list_objects_v2").paginate(Bucket="lists", PaginationConfig={"PageSize": 7})
assert [o["Key"] for page in pages for o in page.get("Contents", [])] == sorted(keys, key=str.encode)
pages = s3.get_paginator("list_objects").paginate(Bucket="lists", Delimiter="/", PaginationConfig={"PageSize": 2})
seen = [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])]
assert seen == [f"d{i}/" for i in range(5)], seen
page = s3.list_objects_v2(Bucket="lists", Prefix="d1/", Delimiter="/", StartAfter="d1/f2", FetchOwner=True)
assert [o["Key"] for o in page["Contents"]] == ["d1/f3", "d1/f4"] and page["Contents"][0]["Owner"]["ID"] == "ada"
assert s3.list_objects_v2(Bucket="lists", MaxKeys=0)["KeyCount"] == 0
assert len(s3.list_object_versions(Bucket="lists")["Versions"]) == len(keys)
refused("InvalidArgument", s3.list_objects_v2, Bucket="lists", ContinuationToken="!")

# deletes
answer = s3.delete_objects(Bucket="lists", Delete={"Objects": [{"Key": k} for k in keys[:20]] + [{"Key": "never"}]})
assert len(answer["Deleted"]) == 21 and "Errors" not in answer
refused("BucketNotEmpty", s3.delete_bucket, Bucket="lists")
s3.delete_objects(Bucket="lists", Delete={"Objects": [{"Key": k} for k in keys], "Quiet": True})
s3.delete_bucket(Bucket="lists")
s3.delete_object(Bucket="lab", Key="never")

# multipart: 8 MiB parts from threads, ranged download
big = os.urandom(21 * 1024 * 1024 + 5)
config = TransferConfig(multipart_threshold=8 * 1024 * 1024, multipart_chunksize=8 * 1024 * 1024, max_concurrency=4)
s3.upload_fileobj(io.BytesIO(big), "mlflow", "0/run/artifacts/big.bin", Config=config)
assert s3.head_object(Bucket="mlflow", Key="0/run/artifacts/big.bin")["ETag"].endswith('-3"')
sink = io.BytesIO()
s3.download_fileobj("mlflow", "0/run/artifacts/big.bin", sink, Config=config)
assert sink.getvalue() == big
whole = s3.get_object(Bucket="mlflow", Key="0/run/artifacts/big.bin", ChecksumMode="ENABLED")
assert whole["Body"].read() == big and whole["ChecksumType"] in ("COMPOSITE", "FULL_OBJECT")
assert s3.get_object(Bucket="mlflow", Key="0/run/artifacts/big.bin", PartNumber=3)["Body"].read() == big[16 * 1024 * 1024:]

upload = s3.create_multipart_upload(Bucket="lab", Key="parts")["UploadId"]
first = s3.upload_part(Bucket="lab", Key="parts", UploadId=upload, PartNumber=1, Body=big[:6_000_000])
second = s3.upload_part_copy(Bucket="lab", Key="parts", UploadId=upload, PartNumber=2, CopySourceRange="bytes=0-99",
                             CopySource="mlflow/0/run/artifacts/big.bin")["CopyPartResult"]
assert [p["PartNumber"] for p in s3.list_parts(Bucket="lab", Key="parts", UploadId=upload)["Parts"]] == [1, 2]
assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket="lab")["Uploads"]] == [upload]
named = [{"PartNumber": 1, "ETag": first["ETag"]}, {"PartNumber": 2, "ETag": second["ETag"]}]
refused("InvalidPart", s3.complete_multipart_upload, Bucket="lab", Key="parts", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"0"'}]})
refused("InvalidPartOrder", s3.complete_multipart_upload, Bucket="lab", Key="parts", UploadId=upload,
        MultipartUpload={"Parts": named[::-1]})
s3.complete_multipart_upload(Bucket="lab", Key="parts", UploadId=upload, MultipartUpload={"Parts": named}, IfNoneMatch="*")
assert s3.get_object(Bucket="lab", Key="parts")["Body"].read() == big[:6_000_000] + big[:100]
upload = s3.create_multipart_upload(Bucket="lab", Key="gone")["UploadId"]
s3.abort_multipart_upload(Bucket="lab", Key="gone", UploadId=upload)
refused("NoSuchUpload", s3.upload_part, Bucket="lab", Key="gone", UploadId=upload, PartNumber=1, Body=b"x")

# presigned URLs (boto3 presigns with the old signature unless told otherwise)
signer = client(signature_version="s3v4")
url = signer.generate_presigned_url("get_object", Params={"Bucket": "lab", "Key": "signed"}, ExpiresIn=60)
assert urllib.request.urlopen(url).read() == b"signed payload"
url = signer.generate_presigned_url("put_object", Params={"Bucket": "lab", "Key": "presigned"}, ExpiresIn=60)
urllib.request.urlopen(urllib.request.Request(url, data=b"from a URL", method="PUT"))
assert s3.get_object(Bucket="lab", Key="presigned")["Body"].read() == b"from a URL"
try:
    urllib.request.urlopen(url.replace("presigned", "other"))
    raise AssertionError("a changed URL was accepted")
except urllib.error.HTTPError as error:
    assert error.code == 403

# what is refused
refused("NotImplemented", s3.get_bucket_cors, Bucket="lab")
refused("NotImplemented", s3.put_bucket_versioning, Bucket="lab", VersioningConfiguration={"Status": "Enabled"})
refused("AccessControlListNotSupported", s3.put_object, Bucket="lab", Key="public", Body=b"", ACL="public-read")
refused("AccessDenied", s3.put_object, Bucket="datasets", Key="x/1/y", Body=b"")
refused("KeyTooLongError", s3.put_object, Bucket="lab", Key="k" * 1025, Body=b"")

if os.environ["WHERE"] == "outside":
    refused("SignatureDoesNotMatch", client(secret="wrong").list_objects_v2, Bucket="lab")
    refused("InvalidAccessKeyId", client(key="FUMEUNKNOWN").list_objects_v2, Bucket="lab")
    try:
        urllib.request.urlopen(f"{ENDPOINT}/lab/signed")
        raise AssertionError("an unsigned request was accepted")
    except urllib.error.HTTPError as error:
        assert error.code == 403 and b"<Code>AccessDenied</Code>" in error.read()
else:
    client(key="anything", secret="whatever").list_objects_v2(Bucket="lab")
    assert urllib.request.urlopen(f"{ENDPOINT}/lab/signed").read() == b"signed payload"
reader = client(os.environ["READER_KEY"], os.environ["READER_SECRET"])
assert reader.get_object(Bucket="lab", Key="signed")["Body"].read() == b"signed payload"
refused("AccessDenied", reader.put_object, Bucket="lab", Key="no", Body=b"")
refused("ExpiredToken", client(os.environ["EXPIRED_KEY"], os.environ["EXPIRED_SECRET"]).list_objects_v2, Bucket="lab")
print("ok")
