#!/bin/sh
# Makes a small OCI image layout out of this machine's own files: Python, a shell and a greeting. Needs tar, gzip and sha256sum, and no network.
#   make-image.sh FOLDER
set -eu
layout=${1:?the folder to make}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root
blobs=$layout/blobs/sha256
mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/etc" "$root/srv/app" "$blobs"

python=$(readlink -f /usr/bin/python3)
version=${python##*/}
cp "$python" "$root/usr/bin/"
ln -s "$version" "$root/usr/bin/python3"
for program in sh cat ls env id ps sleep; do
  path=$(command -v "$program")
  cp -L "$path" "$root/usr/bin/$program"
done
# What those programs load, where they look for it.
for file in "$root"/usr/bin/* /usr/lib/"$version"/lib-dynload/*.so; do
  ldd "$file" 2>/dev/null | tr ' \t' '\n\n' | grep '^/' || true
done | sort -u | while read -r library; do
  mkdir -p "$root/usr${library%/*}"
  cp -L "$library" "$root/usr$library"
done
[ ! -d "$root/usr/usr" ] || { cp -r "$root/usr/usr/." "$root/usr/" && rm -r "$root/usr/usr"; }
ln -s usr/bin "$root/bin"
for name in lib lib64; do
  [ ! -d "$root/usr/$name" ] || ln -s "usr/$name" "$root/$name"
done
tar -C /usr/lib -cf - --exclude=test --exclude=__pycache__ --exclude=idlelib --exclude=tkinter "$version" | tar -C "$root/usr/lib" -xf -
echo 'print("hello from the image")' >"$root/srv/app/hello.py"

digest() { sha256sum "$1" | cut -d' ' -f1; }
# Moves a file to its place among the blobs; prints its digest and size as a descriptor has them.
blob() {
  hash=$(digest "$1")
  size=$(wc -c <"$1")
  mv "$1" "$blobs/$hash"
  printf '"digest":"sha256:%s","size":%s' "$hash" "$((size))"
}

tar -C "$root" --owner=0 --group=0 --sort=name -cf "$scratch/layer.tar" .
content=$(digest "$scratch/layer.tar")
gzip -n "$scratch/layer.tar"
layer=$(blob "$scratch/layer.tar.gz")

case $(uname -m) in x86_64) architecture=amd64 ;; aarch64) architecture=arm64 ;; *) architecture=$(uname -m) ;; esac
cat >"$scratch/config.json" <<JSON
{"os":"linux","architecture":"$architecture","rootfs":{"type":"layers","diff_ids":["sha256:$content"]},
 "config":{"Env":["PATH=/usr/bin:/bin","GREETING=hello"],"WorkingDir":"/srv/app","User":"root","Entrypoint":["/usr/bin/python3"]}}
JSON
config=$(blob "$scratch/config.json")
cat >"$scratch/manifest.json" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
 "config":{"mediaType":"application/vnd.oci.image.config.v1+json",$config},
 "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",$layer}]}
JSON
manifest=$(blob "$scratch/manifest.json")
cat >"$layout/index.json" <<JSON
{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",$manifest}]}
JSON
echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
