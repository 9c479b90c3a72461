"""The stream consumer: gate events in, arrival notices and border records out."""
