//! spamd and rspamd: what they say, and what they had better not say.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::{Verdict, rspamd, spamd};

const LIMIT: Duration = Duration::from_secs(30);

/// What a judge that answers like this is understood to say.
async fn spamd_says(answer: &[u8]) -> Result<Verdict, mail::Trouble> {
    let (mut ours, mut theirs) = duplex(1 << 20);
    theirs.write_all(answer).await.unwrap();
    drop(theirs);
    spamd::finish(&mut ours, LIMIT, 5.0).await
}

async fn rspamd_says(answer: &str) -> Result<Verdict, mail::Trouble> {
    let (mut ours, mut theirs) = duplex(4 << 20);
    theirs.write_all(answer.as_bytes()).await.unwrap();
    drop(theirs);
    rspamd::finish(&mut ours, LIMIT, 5.0).await
}

#[tokio::test]
async fn spamd_gives_score_and_symbols() {
    let answer =
        b"SPAMD/1.1 0 EX_OK\r\nContent-length: 18\r\nSpam: True ; 15.2 / 5.0\r\n\r\nGTUBE,NO_RELAYS\r\n\r\n";
    let verdict = spamd_says(answer).await.unwrap();
    assert_eq!(verdict.line(), "Yes, score=15.2 required=5.0 tests=GTUBE,NO_RELAYS");
    let (mut ours, mut theirs) = duplex(1000);
    let ask = spamd::Ask { user: Some("ann@box.test"), size: 10 };
    spamd::begin(&mut ours, ask, LIMIT).await.unwrap();
    let forged = spamd::Ask { user: Some("x\r\nEvil: y"), size: 1 };
    spamd::begin(&mut ours, forged, LIMIT).await.unwrap();
    drop(ours);
    let mut said = String::new();
    theirs.read_to_string(&mut said).await.unwrap();
    assert_eq!(
        said,
        "SYMBOLS SPAMC/1.5\r\nContent-length: 10\r\nUser: ann@box.test\r\n\r\nSYMBOLS SPAMC/1.5\r\nContent-length: 1\r\n\r\n"
    );
}

#[tokio::test]
async fn rspamd_gives_score_and_symbols() {
    let body = r#"{"score":7.5,"required_score":15,"action":"add header","symbols":{
        "SMALL":{"score":0.5},"BIG":{"score":7,"description":"is\nbig"},"no way":{"score":0}}}"#;
    for end in ["\r\nConnection: close\r\n\r\n", &format!("\r\nContent-Length: {}\r\n\r\n", body.len())] {
        let verdict = rspamd_says(&format!("HTTP/1.1 200 OK{end}{body}")).await.unwrap();
        assert_eq!(verdict.line(), "Yes, score=7.5 required=5.0 tests=BIG,SMALL,noway");
    }
}

#[tokio::test]
async fn answers_that_are_none() {
    let endless = "x".repeat(1 << 17);
    let long = format!("SPAMD/1.1 0 EX_OK\r\nSpam: True ; 9 / 5\r\n\r\n{endless}");
    for answer in [
        "",
        "SPAMD/1.1 0 EX_OK",
        "SPAMD/1.1 76 EX_PROTOCOL\r\n\r\n",
        "SPAMD/1.1 0 EX_OK\r\n\r\n",
        "SPAMD/1.1 0 EX_OK\r\nSpam: True ; NaN / 5\r\n\r\n",
        "SPAMD/1.1 0 EX_OK\r\nContent-length: 900\r\nSpam: True ; 9 / 5\r\n\r\nHALF",
        "HTTP/1.1 200 OK\r\nSpam: True ; 9 / 5\r\n\r\n",
        &endless,
        &long,
    ] {
        assert!(spamd_says(answer.as_bytes()).await.is_err(), "{}", &answer[..answer.len().min(80)]);
    }
    let big = format!("HTTP/1.1 200 OK\r\n\r\n{{\"score\":1,\"x\":\"{}\"}}", "y".repeat(2 << 20));
    let deep = format!("HTTP/1.1 200 OK\r\n\r\n{}", "[".repeat(100_000));
    for answer in [
        "",
        "HTTP/1.1 500 Oops\r\n\r\n{\"score\":1}",
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\n\r\n{\"action\":\"reject\"}",
        "HTTP/1.1 200 OK\r\n\r\n{\"score\":0,\"action\":\"soft reject\"}",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{\"score\":0}",
        &big,
        &deep,
    ] {
        assert!(rspamd_says(answer).await.is_err(), "{}", &answer[..answer.len().min(80)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_falls_silent_costs_its_time_and_no_more() {
    let (mut ours, theirs) = duplex(16);
    let wrong = spamd::write(&mut ours, &[0; 1000], "spamd", LIMIT).await.unwrap_err();
    assert!(wrong.to_string().contains("does not read"), "{wrong}");
    drop(theirs);
    let (mut ours, theirs) = duplex(16);
    let wrong = spamd::finish(&mut ours, LIMIT, 5.0).await.unwrap_err();
    assert!(wrong.to_string().contains("does not answer"), "{wrong}");
    let wrong = rspamd::finish(&mut ours, LIMIT, 5.0).await.unwrap_err();
    assert!(wrong.to_string().contains("does not answer"), "{wrong}");
    drop(theirs);
}
