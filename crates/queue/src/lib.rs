//! The durable queue and its scheduler
