"""Entry point of the agent. The isolated mode of Python leaves out the folder of a program that is started by its file."""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])

import agent  # noqa: E402

agent.main()
