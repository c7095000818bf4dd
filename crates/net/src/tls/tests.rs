//! Handshakes between our own two ends, over a socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::*;
use crate::dns::Data;
use crate::{Stream, clock};

/// A directory with an authority and certificates.
struct Authority {
    dir: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Authority { dir, issuer }
    }

    fn ca(&self) -> Option<PathBuf> {
        Some(self.dir.path().join("ca.pem"))
    }

    /// A key and its certificate in one file, key first.
    fn issue(&self, file: &str, cn: &str, names: &[&str], days: i64) -> PathBuf {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, cn);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after =
            if days < 0 { rcgen::date_time_ymd(2021, 1, 1) } else { rcgen::date_time_ymd(2090, 1, 1) };
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let path = self.dir.path().join(file);
        std::fs::write(&path, key.serialize_pem() + &cert.pem()).unwrap();
        path
    }
}

fn keys(path: &Path) -> KeyFiles {
    KeyFiles { chain_files: vec![path.to_owned()], pairs: Vec::new() }
}

fn server(settings: ServerSettings) -> ServerTls {
    ServerTls::new(settings, None).unwrap().0
}

fn client(settings: ClientSettings) -> ClientTls {
    ClientTls::new(settings).unwrap().0
}

/// Shakes hands and says hello; what each end knows of the other.
async fn meet(
    server: &ServerTls,
    client: &ClientTls,
    identity: &Identity,
) -> Result<(Summary, Summary), HandshakeError> {
    let (a, b) = UnixStream::pair().unwrap();
    let server = server.clone();
    let served = tokio::spawn(async move {
        let (mut stream, summary) = server.accept(Stream::Unix(a)).await?;
        stream.write_all(b"hello").await?;
        stream.flush().await?;
        Ok::<_, HandshakeError>(summary)
    });
    let (mut stream, seen) = client.connect(Stream::Unix(b), identity, clock::wall()).await?;
    let mut hello = [0; 5];
    let read = stream.read_exact(&mut hello).await;
    let summary = served.await.unwrap()?;
    read?;
    Ok((summary, seen))
}

fn named(name: &str) -> Identity {
    Identity { names: vec![name.to_owned()], ..Identity::default() }
}

#[tokio::test]
async fn trust_anchors_take_the_place_of_all_authorities() {
    let (ours, other) = (Authority::new("Our CA"), Authority::new("Other CA"));
    let path = ours.issue("good", "mx.test", &["mx.test"], 1);
    let server = server(ServerSettings { keys: keys(&path), ..ServerSettings::default() });
    for (anchors, trust) in [(&ours, Trust::Verified), (&other, Trust::Untrusted)] {
        let anchors = anchors.ca().into_iter().collect();
        let client = client(ClientSettings { ca_file: ours.ca(), anchors, ..ClientSettings::default() });
        let (_, seen) = meet(&server, &client, &named("mx.test")).await.unwrap();
        assert_eq!(seen.trust, trust);
    }
    let bare = ours.dir.path().join("bare.pem");
    std::fs::write(&bare, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n").unwrap();
    for (file, what) in [(bare, "public keys"), (ours.dir.path().join("none"), "cannot read")] {
        let settings = ClientSettings { anchors: vec![file], ..ClientSettings::default() };
        let error = ClientTls::new(settings).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_is_believed_as_far_as_it_goes() {
    let ours = Authority::new("Our CA");
    let other = Authority::new("Other CA");
    let trusting = client(ClientSettings { ca_file: ours.ca(), ..ClientSettings::default() });
    let good = ours.issue("good", "mx.test", &["mx.test", "*.wild.test", "127.0.0.1"], 1);
    for (path, name, trust, why) in [
        (&good, "mx.test", Trust::Verified, ""),
        (&good, "MX.test.", Trust::Verified, ""),
        (&good, ".test", Trust::Verified, ""),
        (&good, "127.0.0.1", Trust::Verified, ""),
        (&good, "a.wild.test", Trust::Verified, ""),
        (&good, "wild.test", Trust::Untrusted, "mx.test is not whom we want"),
        (&good, "other.test", Trust::Untrusted, "mx.test is not whom we want"),
        (
            &ours.issue("old", "mx.test", &["mx.test"], -1),
            "mx.test",
            Trust::Untrusted,
            "certificate has expired",
        ),
        (&ours.issue("cn", "cn.test", &[], 1), "cn.test", Trust::Verified, ""),
        (
            &other.issue("other", "mx.test", &["mx.test"], 1),
            "mx.test",
            Trust::Untrusted,
            "untrusted issuer Other CA",
        ),
    ] {
        let server = server(ServerSettings { keys: keys(path), ..ServerSettings::default() });
        let (_, seen) = meet(&server, &trusting, &named(name)).await.unwrap();
        assert_eq!(
            (seen.trust, seen.why_untrusted.unwrap_or_default().as_str()),
            (trust, why),
            "{path:?} {name}"
        );
    }
    let nobody = client(ClientSettings::default());
    let server = server(ServerSettings { keys: keys(&good), ..ServerSettings::default() });
    let (_, seen) = meet(&server, &nobody, &named("mx.test")).await.unwrap();
    assert_eq!(seen.trust, Trust::Untrusted);
    let fingerprints = vec![seen.peer.unwrap().key_fingerprint.to_lowercase()];
    let (_, seen) = meet(&server, &nobody, &Identity { fingerprints, ..Identity::default() }).await.unwrap();
    assert_eq!(seen.trust, Trust::Verified);
}

#[tokio::test]
async fn a_connection_is_described_as_postfix_does() {
    let ours = Authority::new("Our CA");
    let chain = ours.issue("good", "mx.test", &["mx.test"], 1);
    let server_of = |protocols: &str| {
        let settings = ServerSettings {
            keys: keys(&chain),
            protocols: protocols.to_owned(),
            ..ServerSettings::default()
        };
        server(ServerSettings { ask_ccert: true, ca_file: ours.ca(), ..settings })
    };
    let plain = client(ClientSettings::default());
    let (served, seen) = meet(&server_of(""), &plain, &Identity::default()).await.unwrap();
    let text = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519MLKEM768 \
                server-signature ECDSA (secp384r1) server-digest SHA384";
    assert_eq!((served.describe().as_str(), seen.describe().as_str()), (text, text));
    assert_eq!((served.trust, served.peer), (Trust::Anonymous, None));

    let shown = ours.issue("client", "client.test", &["client.test"], 1);
    let with_key = client(ClientSettings { keys: keys(&shown), ..ClientSettings::default() });
    let (served, _) = meet(&server_of(""), &with_key, &Identity::default()).await.unwrap();
    assert!(served.describe().ends_with(" client-signature ECDSA (secp384r1) client-digest SHA384"));
    let peer = served.peer.unwrap();
    assert_eq!(
        (served.trust, peer.subject_cn.as_str(), peer.issuer_cn.as_str()),
        (Trust::Trusted, "client.test", "Our CA")
    );
    assert_eq!(peer.fingerprint.len(), 32 * 3 - 1);

    let (served, _) = meet(&server_of("!TLSv1.3"), &plain, &Identity::default()).await.unwrap();
    assert_eq!(served.describe(), "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)");
}

/// Both ends of a session come to the same binding (RFC 9266), and another session to another.
#[tokio::test]
async fn a_session_has_a_binding_of_its_own() {
    let ours = Authority::new("Our CA");
    let chain = ours.issue("good", "mx.test", &["mx.test"], 1);
    let server_of = |protocols: &str| {
        server(ServerSettings {
            keys: keys(&chain),
            protocols: protocols.to_owned(),
            ..ServerSettings::default()
        })
    };
    let client = client(ClientSettings::default());
    let bindings = async |protocols: &str| {
        let (a, b) = UnixStream::pair().unwrap();
        let server = server_of(protocols);
        let served = tokio::spawn(async move { server.accept(Stream::Unix(a)).await });
        let (stream, _) = client.connect(Stream::Unix(b), &Identity::default(), clock::wall()).await.unwrap();
        let Stream::Tls(stream) = stream else { panic!("encrypted") };
        let tokio_rustls::TlsStream::Client(stream) = *stream else { panic!("the client's end") };
        let session = stream.get_ref().1;
        let theirs = session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
        let certificate = session.peer_certificates().unwrap()[0].to_vec();
        let (_server, summary) = served.await.unwrap().unwrap();
        (summary.binding, theirs.to_vec(), certificate)
    };
    let (one, theirs, certificate) = bindings("").await;
    assert_eq!(one.exporter, Some(theirs));
    // The authority signs with ECDSA and SHA-256.
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate);
    assert_eq!(one.server_end_point.as_deref(), Some(hash.as_ref()));
    assert_ne!(bindings("").await.0.exporter, one.exporter);
    let (old, ..) = bindings("!TLSv1.3").await;
    assert_eq!((old.exporter, old.server_end_point), (None, one.server_end_point));
}

#[tokio::test]
async fn ends_that_share_no_protocol_do_not_meet() {
    let ours = Authority::new("Our CA");
    let chain = ours.issue("good", "mx.test", &["mx.test"], 1);
    let server = server(ServerSettings {
        keys: keys(&chain),
        protocols: ">=TLSv1.3".to_owned(),
        ..ServerSettings::default()
    });
    let old = client(ClientSettings { protocols: "<=TLSv1.2".to_owned(), ..ClientSettings::default() });
    assert!(matches!(meet(&server, &old, &Identity::default()).await, Err(HandshakeError::Failed(_))));
}

#[tokio::test]
async fn clear_text_is_no_handshake() {
    let ours = Authority::new("Our CA");
    let chain = ours.issue("good", "mx.test", &["mx.test"], 1);
    let server = server(ServerSettings { keys: keys(&chain), ..ServerSettings::default() });
    let (a, mut b) = UnixStream::pair().unwrap();
    b.write_all(b"EHLO client.test\r\n").await.unwrap();
    assert!(matches!(server.accept(Stream::Unix(a)).await, Err(HandshakeError::Failed(_))));
    let (a, b) = UnixStream::pair().unwrap();
    drop(b);
    assert!(matches!(server.accept(Stream::Unix(a)).await, Err(HandshakeError::Lost)));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.write_all(b"EHLO client.test\r\n").await.unwrap();
    let stream = Stream::Tcp(listener.accept().await.unwrap().0);
    assert!(matches!(server.accept(stream).await, Err(HandshakeError::Failed(_))));
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

struct Sni(PathBuf);

impl SniLookup for Sni {
    fn find<'a>(&'a self, name: &'a str) -> SniFound<'a> {
        Box::pin(async move {
            match name {
                "sni.test" | ".sub.test" => Ok(Some(std::fs::read(&self.0).unwrap())),
                "broken.test" => Err(mail::Trouble::new("the table is broken")),
                _ => Ok(None),
            }
        })
    }
}

#[tokio::test]
async fn the_certificate_follows_the_name() {
    let ours = Authority::new("Our CA");
    let (usual, other) =
        (ours.issue("usual", "usual.test", &[], 1), ours.issue("other", "other.test", &[], 1));
    let settings = ServerSettings { keys: keys(&usual), ..ServerSettings::default() };
    let (server, _) = ServerTls::new(settings, Some(Arc::new(Sni(other)))).unwrap();
    let client = client(ClientSettings::default());
    for (sni, expected) in [
        (Some("SNI.test"), "other.test"),
        (Some("one.sub.test"), "other.test"),
        (Some("sub.test"), "usual.test"),
        (None, "usual.test"),
    ] {
        let identity = Identity { sni: sni.map(str::to_owned), ..Identity::default() };
        let (served, seen) = meet(&server, &client, &identity).await.unwrap();
        assert_eq!(seen.peer.unwrap().subject_cn, expected, "{sni:?}");
        assert_eq!(served.sni, sni.map(str::to_lowercase));
    }
    let broken = Identity { sni: Some("broken.test".to_owned()), ..Identity::default() };
    assert!(meet(&server, &client, &broken).await.is_err());
}

#[test]
fn bad_files_are_named() {
    let ours = Authority::new("Our CA");
    let (one, two) = (ours.issue("one", "one.test", &[], 1), ours.issue("two", "two.test", &[], 1));
    let empty = ours.dir.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let missing = ours.dir.path().join("missing");
    for (cert, key, text) in [
        (&one, &two, "one: the private key does not belong to the certificate"),
        (&one, &empty, "empty: no private key"),
        (&empty, &one, "empty: no certificate"),
        (&one, &missing, "missing"),
    ] {
        let pair = KeyFiles { pairs: vec![(cert.clone(), key.clone())], ..KeyFiles::default() };
        let error =
            ServerTls::new(ServerSettings { keys: pair, ..ServerSettings::default() }, None).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    assert!(ServerTls::new(ServerSettings::default(), None).is_err());
}

#[tokio::test]
async fn nothing_said_in_clear_survives_starttls() {
    use crate::drive::{Client, Next, Server};
    use proto::smtp::client::{Event as Heard, Stage};
    use proto::smtp::server::{Answer, Event};
    use proto::smtp::{Reply, client as calling, server as serving};

    let ours = Authority::new("Our CA");
    let chain = ours.issue("good", "mx.test", &["mx.test"], 1);
    let tls = server(ServerSettings { keys: keys(&chain), ..ServerSettings::default() });
    let plain = client(ClientSettings::default());
    let (a, b) = UnixStream::pair().unwrap();
    let served = tokio::spawn(async move {
        let mut server = Server::new(Stream::Unix(a), serving::Settings::default());
        server.answer(Answer::Say(Reply::plain(220, "hi")));
        let mut seen = Vec::new();
        loop {
            match server.next().await {
                Next::Event(Event::Command(line)) => {
                    let text = String::from_utf8(line.bytes).unwrap();
                    server.answer(match text.as_str() {
                        "STARTTLS" => Answer::StartTls(Reply::new(220, (0, 0), "Ready")),
                        "QUIT" => Answer::Close(Reply::plain(221, "bye")),
                        _ => Answer::Say(Reply::plain(250, "ok")),
                    });
                    seen.push(text);
                }
                Next::StartTls => drop(server.start_tls(&tls, Duration::from_secs(5)).await.unwrap()),
                Next::Event(_) => {}
                Next::Closed => return seen,
            }
        }
    });
    let mut client = Client::new(Stream::Unix(b), calling::Settings::default());
    client.next().await;
    client.machine().ask(Stage::StartTls, "STARTTLS");
    client.machine().output().extend_from_slice(b"EHLO injected\r\nNOOP\r\n");
    assert!(matches!(client.next().await, Heard::Reply(Stage::StartTls, reply) if reply.code == 220));
    client.start_tls(&plain, &Identity::default(), Duration::from_secs(5)).await.unwrap();
    client.machine().ask(Stage::Quit, "QUIT");
    assert!(matches!(client.next().await, Heard::Reply(Stage::Quit, reply) if reply.code == 221));
    assert_eq!(served.await.unwrap(), ["STARTTLS", "QUIT"]);
}

#[tokio::test]
async fn a_message_cut_off_within_tls_is_no_message() {
    use crate::drive::{Next, Server};
    use proto::smtp::Reply;
    use proto::smtp::server::{Answer, Event, Settings};

    let ours = Authority::new("Our CA");
    let chain = ours.issue("good", "mx.test", &["mx.test"], 1);
    let tls = server(ServerSettings { keys: keys(&chain), ..ServerSettings::default() });
    let plain = client(ClientSettings::default());
    for polite in [true, false] {
        let (a, b) = UnixStream::pair().unwrap();
        let calling = plain.clone();
        tokio::spawn(async move {
            let (mut stream, _) =
                calling.connect(Stream::Unix(b), &Identity::default(), clock::wall()).await.unwrap();
            stream.read_exact(&mut [0; 8]).await.unwrap();
            stream.write_all(b"DATA\r\nhalf a message\r\n").await.unwrap();
            stream.flush().await.unwrap();
            if polite {
                // close_notify, then the rest in clear.
                stream.shutdown().await.unwrap();
            }
            if let Stream::Tls(tls) = stream
                && let (Stream::Unix(mut raw), _) = match *tls {
                    tokio_rustls::TlsStream::Client(tls) => tls.into_inner(),
                    tokio_rustls::TlsStream::Server(_) => panic!("we called"),
                }
            {
                let _ = raw.write_all(b"rest\r\n.\r\n").await;
            }
        });
        let mut server = Server::new(Stream::Unix(a), Settings::default());
        server.start_tls(&tls, Duration::from_secs(5)).await.unwrap();
        server.answer(Answer::Say(Reply::plain(220, "hi")));
        loop {
            match server.next().await {
                Next::Event(Event::Command(line)) => {
                    assert_eq!(line.bytes, b"DATA");
                    server.answer(Answer::Data(Reply::plain(354, "go")));
                }
                Next::Event(Event::Content(_) | Event::Lost) => {}
                Next::Closed => break,
                next => panic!("polite: {polite}: {next:?}"),
            }
        }
    }
}

/// A TLSA record about a certificate: its SHA-256 as a whole.
fn tlsa(usage: u8, pem: &str) -> Tlsa {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let data = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der).as_ref().to_vec();
    Tlsa::usable(&Data::Tlsa { usage, selector: 0, matching: 1, data }).unwrap()
}

#[tokio::test]
async fn tlsa_records_vouch_instead_of_authorities() {
    let (ours, other) = (Authority::new("Our CA"), Authority::new("Other CA"));
    let trusting = client(ClientSettings { ca_file: ours.ca(), ..ClientSettings::default() });
    let path = ours.issue("mx", "mx.test", &["mx.test"], -1);
    let expired = std::fs::read_to_string(&path).unwrap();
    let good = ours.issue("good", "mx.test", &["mx.test"], 1);
    // The authority of DANE-TA is part of what the server shows.
    std::fs::write(&good, std::fs::read_to_string(&good).unwrap() + &ours.issuer.pem()).unwrap();
    let leaf = std::fs::read_to_string(&good).unwrap();
    for (path, record, name, trust) in [
        (&good, tlsa(3, &leaf), "other.test", Trust::Verified),
        (&path, tlsa(3, &expired), "mx.test", Trust::Verified),
        (&good, tlsa(3, &expired), "mx.test", Trust::Untrusted),
        (&good, tlsa(2, &ours.issuer.pem()), "mx.test", Trust::Verified),
        (&good, tlsa(2, &ours.issuer.pem()), "other.test", Trust::Untrusted),
        (&good, tlsa(2, &other.issuer.pem()), "mx.test", Trust::Untrusted),
        (&good, tlsa(3, &ours.issuer.pem()), "mx.test", Trust::Untrusted),
    ] {
        let server = server(ServerSettings { keys: keys(path), ..ServerSettings::default() });
        let identity = Identity { tlsa: vec![record.clone()], ..named(name) };
        let (_, seen) = meet(&server, &trusting, &identity).await.unwrap();
        assert_eq!(seen.trust, trust, "{record:?} {name}");
    }
}
