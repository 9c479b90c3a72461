"""What crosses a process border: messages, topics, their wire form, ids and the port table.

Pure: imports nothing else of gatebook, does no I/O, reads no clock.
"""
