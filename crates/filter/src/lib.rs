//! The judge: restrictions, policy, checks
