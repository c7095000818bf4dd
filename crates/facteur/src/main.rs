//! The front door: picks the applet by name and hands over.

fn main() {}
