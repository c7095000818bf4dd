//! Grammars and conversations: bytes in, events out; no I/O
