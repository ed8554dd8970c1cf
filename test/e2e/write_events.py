"""Writes what TensorBoard shows: fifty steps of a loss."""

import time

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

writer = EventFileWriter("/workspace/logs/first")
for step in range(50):
    value = Summary.Value(tag="loss", simple_value=2.0 / (step + 1))
    writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=[value])))
writer.close()
