"""The event log: Kafka, or a stand-in of the same contract in one SQLite file or in memory."""
