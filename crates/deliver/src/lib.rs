//! The agents: smtp lmtp local virtual pipe error discard
