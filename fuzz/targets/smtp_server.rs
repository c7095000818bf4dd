//! The server machine sees the same however the stream is cut. The first byte says where.
#![no_main]

use std::time::Instant;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let now = Instant::now();
    if let [cut, stream @ ..] = bytes {
        let cuts: Vec<usize> = (1..8).map(|n| n * usize::from(*cut)).collect();
        assert_eq!(proto::fuzz::server(stream, &cuts, now), proto::fuzz::server(stream, &[], now));
    }
});
