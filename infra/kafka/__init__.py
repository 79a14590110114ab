"""What the embedded Kafka is made of: the jars that are wanted and how one node is set."""
