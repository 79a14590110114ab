"""The live subscription view: configuration as Kafka has it, followed by every process that needs it."""
