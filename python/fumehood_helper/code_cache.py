"""The agent's code, compiled once for all sandboxes: they run it from a read-only folder and could not keep what they compile."""

import os
import py_compile
import shutil


def compile_code(_channel, request):
    """Copies the modules of `source` to `target` with their byte code, whole or not at all; what is there already is kept."""
    source, target = request["source"], request["target"]
    if os.path.isdir(target):
        return True
    half = f"{target}.{os.urandom(8).hex()}"
    try:
        os.makedirs(os.path.join(half, "__pycache__"), mode=0o755)
        for name in os.listdir(source):
            if os.path.isdir(os.path.join(source, name)) and name != "__pycache__":
                _copy_data(os.path.join(source, name), os.path.join(half, name))
            if not name.endswith(".py"):
                continue
            path = shutil.copyfile(os.path.join(source, name), os.path.join(half, name))
            # Not checked against the source at each start: the folder's name is the source's digest.
            py_compile.compile(path, dfile=f"/fumehood/agent/{name}", doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        os.rename(half, target)
    except OSError:
        if not os.path.isdir(target):
            raise
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return True


def _copy_data(source, target):
    """A folder that is read and not imported: as it is, readable for everybody."""
    for folder, _, files in os.walk(source):
        inside = os.path.join(target, os.path.relpath(folder, source))
        os.makedirs(inside, mode=0o755, exist_ok=True)
        for name in files:
            os.chmod(shutil.copyfile(os.path.join(folder, name), os.path.join(inside, name)), 0o644)
