"""Executes a notebook cell by cell with Jupyter's own client, and prints what each cell prints while it does.

    python run_notebook.py NOTEBOOK [OUTPUT]

The notebook with its outputs is written to OUTPUT, also when a cell fails. Exit code 1 and the cell's error when one
does; 2 when the environment has no Jupyter client, or the file is no notebook.
"""

import os
import re
import sys
import time

try:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from traitlets.config import Config
except ImportError as missing:
    print(f"error: Notebooks are run by nbclient and ipykernel, and there is no {missing.name} here.", file=sys.stderr)
    print('  what to do: Name an environment that has them, such as "fumehood environment create notebook" makes.', file=sys.stderr)
    sys.exit(2)

LONGEST_CELL_S = 7 * 86400
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# The kernel listens on sockets in its user's folder: on ports, everything else in the sandbox could speak to it.
KERNEL = Config({"KernelManager": {"transport": "ipc"}})


class Printing(NotebookClient):
    """A notebook client that shows outputs as they arrive."""

    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        if msg["msg_type"] == "stream":
            target = sys.stderr if content["name"] == "stderr" else sys.stdout
            print(content["text"], end="", file=target, flush=True)
        elif msg["msg_type"] in ("execute_result", "display_data") and "text/plain" in content["data"]:
            print(content["data"]["text/plain"], flush=True)
        return super().process_message(msg, cell, cell_index)


def run(notebook) -> int:
    """Runs all code cells in order, each with its number and its time; stops at the first that fails."""
    client = Printing(
        notebook, timeout=LONGEST_CELL_S, kernel_name="python3", resources={"metadata": {"path": "."}}, config=KERNEL
    )
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    with client.setup_kernel():
        for number, index in enumerate(code, 1):
            started = time.monotonic()
            print(f"[{number}/{len(code)}]", flush=True)
            try:
                client.execute_cell(notebook.cells[index], index)
            except (CellExecutionError, DeadKernelError) as error:
                text = str(error)
                print(text if "CLICOLOR_FORCE" in os.environ else COLOURS.sub("", text), file=sys.stderr)
                return 1
            print(f"    {time.monotonic() - started:.1f} s", flush=True)
    return 0


def main() -> int:
    try:
        notebook = nbformat.read(sys.argv[1], as_version=4)
    except Exception as error:
        print(f'error: "{sys.argv[1]}" cannot be read as a notebook: {error}', file=sys.stderr)
        print("  what to do: Open it in JupyterLab and save it again.", file=sys.stderr)
        return 2
    # Cells of notebooks of before 4.5 have no ids; the form that is written asks for them.
    for cell in notebook.cells:
        cell.setdefault("id", os.urandom(4).hex())
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    try:
        return run(notebook)
    except KeyboardInterrupt:
        return 130
    finally:
        if len(sys.argv) > 2:
            nbformat.write(notebook, sys.argv[2])


if __name__ == "__main__":
    sys.exit(main())
