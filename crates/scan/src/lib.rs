//! What is inside a message: spam, viruses, attachments, and what is held back for it.
