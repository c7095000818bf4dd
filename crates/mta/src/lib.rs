//! The office: the road of a message, and the sessions that start it
