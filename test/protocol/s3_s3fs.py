"""What s3fs (through fsspec) does against the S3 door, with assertions."""
import os

import fsspec

fs = fsspec.filesystem("s3", endpoint_url=os.environ["ENDPOINT"], key=os.environ["KEY"], secret=os.environ["SECRET"])
fs.mkdir("frames")
data = os.urandom(12 * 1024 * 1024)
with fs.open("frames/in/big.bin", "wb", block_size=5 * 1024 * 1024) as sink:
    sink.write(data)
with fs.open("frames/in/big.bin", "rb") as source:
    source.seek(7_000_000)
    assert source.read(1000) == data[7_000_000:7_001_000]
    source.seek(0)
    assert source.read() == data
with fs.open("frames/in/text.txt", "w") as sink:
    sink.write("line one\nline two\n")
assert fs.cat("frames/in/text.txt") == b"line one\nline two\n"
assert sorted(fs.ls("frames/in")) == ["frames/in/big.bin", "frames/in/text.txt"]
assert fs.isdir("frames/in") and fs.exists("frames/in/text.txt") and not fs.exists("frames/in/none")
assert fs.info("frames/in/big.bin")["size"] == len(data)
assert fs.find("frames") == ["frames/in/big.bin", "frames/in/text.txt"]
assert fs.glob("frames/**/*.txt") == ["frames/in/text.txt"]
fs.copy("frames/in/text.txt", "frames/out/copy.txt")
fs.mv("frames/out/copy.txt", "frames/out/moved.txt")
assert fs.cat_file("frames/out/moved.txt", start=5, end=8) == b"one"
fs.pipe({"frames/many/1": b"1", "frames/many/2": b"2"})
assert fs.cat(["frames/many/1", "frames/many/2"]) == {"frames/many/1": b"1", "frames/many/2": b"2"}
try:
    fs.pipe_file("frames/many/1", b"again", mode="create")
    raise AssertionError("an existing file was overwritten")
except OSError as error:
    assert "If-None-Match" in str(error)
assert fs.cat("frames/many/1") == b"1"
fs.rm("frames", recursive=True)
assert not fs.exists("frames")
try:
    fs.pipe("datasets/x/1/y", b"")
    raise AssertionError("the bucket of data sets was written")
except PermissionError:
    pass
print("ok")
