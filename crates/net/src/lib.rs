//! Listeners, connections, TLS, DNS and the driver of machines
