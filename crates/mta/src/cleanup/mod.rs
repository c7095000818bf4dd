//! cleanup(8): what a message goes through before it is queued.
