"""The live side: the producer that replays positions into Kafka, and the structured-streaming job with its sinks."""
