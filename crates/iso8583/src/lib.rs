//! ISO 8583 messages and frames: bytes to elements and back, driven by a dialect file.
