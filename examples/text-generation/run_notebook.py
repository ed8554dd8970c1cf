"""Executes a notebook cell by cell with Jupyter's own client, and prints what each cell prints while it does.

    python run_notebook.py NOTEBOOK [OUTPUT]

Exit code 1 and the cell's error when a cell fails.
"""

import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


class Printing(NotebookClient):
    """A notebook client that shows outputs as they arrive."""

    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        if msg["msg_type"] == "stream":
            print(content["text"], end="", flush=True)
        elif msg["msg_type"] in ("execute_result", "display_data") and "text/plain" in content["data"]:
            print(content["data"]["text/plain"], flush=True)
        return super().process_message(msg, cell, cell_index)


def main() -> int:
    notebook = nbformat.read(sys.argv[1], as_version=4)
    client = Printing(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": "."}})
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    with client.setup_kernel():
        for number, index in enumerate(code, 1):
            started = time.monotonic()
            print(f"[{number}/{len(code)}]", flush=True)
            try:
                client.execute_cell(notebook.cells[index], index)
            except CellExecutionError as error:
                print(error, file=sys.stderr)
                return 1
            print(f"    {time.monotonic() - started:.1f} s", flush=True)
    if len(sys.argv) > 2:
        nbformat.write(notebook, sys.argv[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())
