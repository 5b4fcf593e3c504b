"""Where the encoded stream goes: each output with a thread and a bounded queue of its own."""
