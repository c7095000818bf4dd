//! The Received header that smtpd and pickup put on top (RFC 5321 4.4).

use mail::{Address, Client, QueueId};

/// What the Received header tells of a TLS session. Empty text and zero are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// `TLSv1.3`.
    pub protocol: String,
    /// `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// Secret bits of the cipher, used and of its algorithm.
    pub bits: (u32, u32),
    /// `X25519`, `ECDHE`.
    pub key_exchange: String,
    /// Within parentheses behind the key exchange: `P-256`, `2048 bits`.
    pub key_exchange_size: String,
    /// `RSA-PSS`, `ECDSA`.
    pub signature: String,
    /// Within parentheses behind the signature.
    pub signature_size: String,
    /// `SHA256`.
    pub digest: String,
    /// What the client signed with, when it showed a certificate.
    pub client_signature: String,
    /// Within parentheses behind it.
    pub client_signature_size: String,
    /// `SHA256`.
    pub client_digest: String,
    /// What became of the client's certificate.
    pub client: ClientCertificate,
}

/// What the Received header tells of the client's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// `smtpd_tls_ask_ccert` is off.
    #[default]
    NotRequested,
    /// It was asked for and did not come.
    NotPresent,
    /// It came.
    Present {
        /// Its common name.
        name: String,
        /// Its issuer's common name.
        issuer: String,
        /// Whether its chain was verified.
        verified: bool,
    },
}

/// The header of a message that came by SMTP.
pub struct BySmtp<'a> {
    /// The client: HELO name, name, address, protocol, login.
    pub client: &'a Client,
    /// The session, for `smtpd_tls_received_header`.
    pub tls: Option<&'a Tls>,
    /// Whether the session is encrypted (ESMTPS), told or not.
    pub encrypted: bool,
    /// `smtpd_sasl_authenticated_header`.
    pub show_login: bool,
    /// `myhostname`.
    pub host: &'a str,
    /// `mail_name`.
    pub mail_name: &'a str,
    /// SMTPUTF8 was asked for.
    pub smtputf8: bool,
    /// Queue id, where there is a queue.
    pub id: Option<&'a QueueId>,
    /// The recipient, when there is only one.
    pub only: Option<&'a Address>,
    /// RFC 5322 date.
    pub date: &'a str,
}

impl BySmtp<'_> {
    /// The header, each line ending with LF.
    pub fn format(&self) -> String {
        let client = self.client;
        let helo = if client.helo.is_empty() { &client.name } else { &client.helo };
        let mut out = format!("Received: from {helo} ({} [{}])\n", client.name, literal(&client.address));
        if let Some(tls) = self.tls {
            tls.push_to(&mut out);
        }
        let logged_in = !client.sasl_username.is_empty();
        if self.show_login && logged_in {
            out.push_str(&format!("\t(Authenticated sender: {})\n", in_comment(&client.sasl_username)));
        }
        let protocol = if self.smtputf8 { "UTF8SMTP" } else { &client.protocol };
        // RFC 3848 knows these letters for ESMTP only.
        let extended = client.protocol == "ESMTP";
        let secure = if extended && self.encrypted { "S" } else { "" };
        let login = if extended && logged_in { "A" } else { "" };
        out.push_str(&format!("\tby {} ({}) with {protocol}{secure}{login}", self.host, self.mail_name));
        if let Some(id) = self.id {
            out.push_str(&format!(" id {id}"));
        }
        match self.only {
            Some(recipient) => out.push_str(&format!("\n\tfor <{}>; {}\n", recipient.external(), self.date)),
            None => out.push_str(&format!(";\n\t{}\n", self.date)),
        }
        out
    }
}

impl Tls {
    fn push_to(&self, out: &mut String) {
        let sized = |size: &str| if size.is_empty() { String::new() } else { format!(" ({size})") };
        out.push_str(&format!(
            "\t(using {} with cipher {} ({}/{} bits)",
            self.protocol, self.cipher, self.bits.0, self.bits.1
        ));
        let mut separator = "\n\t";
        if !self.key_exchange.is_empty() {
            out.push_str(&format!(
                "{separator} key-exchange {}{}",
                self.key_exchange,
                sized(&self.key_exchange_size)
            ));
            separator = "";
        }
        if !self.signature.is_empty() {
            out.push_str(&format!(
                "{separator} server-signature {}{}",
                self.signature,
                sized(&self.signature_size)
            ));
            if !self.digest.is_empty() {
                out.push_str(&format!(" server-digest {}", self.digest));
            }
        }
        if !self.client_signature.is_empty() {
            let size = sized(&self.client_signature_size);
            out.push_str(&format!("\n\t client-signature {}{size}", self.client_signature));
            if !self.client_digest.is_empty() {
                out.push_str(&format!(" client-digest {}", self.client_digest));
            }
        }
        out.push_str(")\n\t(");
        match &self.client {
            ClientCertificate::NotRequested => out.push_str("No client certificate requested"),
            ClientCertificate::NotPresent => out.push_str("Client did not present a certificate"),
            ClientCertificate::Present { name, issuer, verified } => out.push_str(&format!(
                "Client CN \"{}\", Issuer \"{}\" ({})",
                in_comment(name),
                in_comment(issuer),
                if *verified { "verified OK" } else { "not verified" }
            )),
        }
        out.push_str(")\n");
    }
}

/// The header of a message that came from `sendmail`, or from ourselves (`user` is `None`).
pub fn local(host: &str, mail_name: &str, user: Option<u32>, id: &QueueId, date: &str) -> String {
    match user {
        Some(user) => format!("Received: by {host} ({mail_name}, from userid {user})\n\tid {id}; {date}\n"),
        None => format!("Received: by {host} ({mail_name})\n\tid {id}; {date}\n"),
    }
}

/// An address as RFC 5321 writes it within brackets.
fn literal(address: &str) -> String {
    if address.contains(':') { format!("IPv6:{address}") } else { address.to_owned() }
}

/// Foreign text within a comment: what is not printable ASCII, a backslash, and a `)` too many become question
/// marks; a `)` that is missing is added.
fn in_comment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open = 0;
    for byte in text.bytes() {
        let good = match byte {
            b'(' => {
                open += 1;
                true
            }
            b')' if open > 0 => {
                open -= 1;
                true
            }
            b')' | b'\\' => false,
            _ => (b' '..=b'~').contains(&byte),
        };
        out.push(if good { char::from(byte) } else { '?' });
    }
    out.extend(std::iter::repeat_n(')', open));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client {
            name: "mail.client.test".into(),
            address: "192.0.2.7".into(),
            helo: "client.test".into(),
            protocol: "ESMTP".into(),
            ..Client::default()
        }
    }

    fn header(client: &Client, tls: Option<&Tls>, only: Option<&Address>) -> String {
        BySmtp {
            client,
            tls,
            encrypted: tls.is_some(),
            show_login: true,
            host: "mx.test",
            mail_name: "Postfix",
            smtputf8: false,
            id: Some(&QueueId::parse("ABC123").unwrap()),
            only,
            date: "Thu,  9 Jan 2014 18:02:58 +0100 (CET)",
        }
        .format()
    }

    #[test]
    fn plain_sessions() {
        assert_eq!(
            header(&client(), None, Some(&"joe user@x.test".into())),
            "Received: from client.test (mail.client.test [192.0.2.7])\n\
             \tby mx.test (Postfix) with ESMTP id ABC123\n\
             \tfor <\"joe user\"@x.test>; Thu,  9 Jan 2014 18:02:58 +0100 (CET)\n"
        );
        let v6 = Client { address: "2001:db8::1".into(), protocol: "SMTP".into(), ..client() };
        assert_eq!(
            header(&v6, None, None),
            "Received: from client.test (mail.client.test [IPv6:2001:db8::1])\n\
             \tby mx.test (Postfix) with SMTP id ABC123;\n\
             \tThu,  9 Jan 2014 18:02:58 +0100 (CET)\n"
        );
    }

    #[test]
    fn secured_and_logged_in() {
        let tls = Tls {
            protocol: "TLSv1.3".into(),
            cipher: "TLS_AES_256_GCM_SHA384".into(),
            bits: (256, 256),
            key_exchange: "X25519".into(),
            signature: "RSA-PSS".into(),
            signature_size: "2048 bits".into(),
            digest: "SHA256".into(),
            ..Tls::default()
        };
        let logged_in = Client { sasl_username: "joe(".into(), ..client() };
        assert_eq!(
            header(&logged_in, Some(&tls), None),
            "Received: from client.test (mail.client.test [192.0.2.7])\n\
             \t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n\
             \t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\n\
             \t(No client certificate requested)\n\
             \t(Authenticated sender: joe())\n\
             \tby mx.test (Postfix) with ESMTPSA id ABC123;\n\
             \tThu,  9 Jan 2014 18:02:58 +0100 (CET)\n"
        );
    }

    #[test]
    fn a_client_that_signed() {
        let tls = Tls {
            protocol: "TLSv1.3".into(),
            cipher: "C".into(),
            key_exchange: "X25519".into(),
            signature: "ED25519".into(),
            client_signature: "ECDSA".into(),
            client_signature_size: "prime256v1".into(),
            client_digest: "SHA256".into(),
            client: ClientCertificate::Present { name: "n".into(), issuer: "i".into(), verified: false },
            ..Tls::default()
        };
        assert!(header(&client(), Some(&tls), None).contains(
            "\t key-exchange X25519 server-signature ED25519\n\
             \t client-signature ECDSA (prime256v1) client-digest SHA256)\n\
             \t(Client CN \"n\", Issuer \"i\" (not verified))\n"
        ));
    }

    #[test]
    fn local_submission() {
        let id = QueueId::parse("A1").unwrap();
        assert_eq!(
            local("mx.test", "Postfix", Some(1000), &id, "D"),
            "Received: by mx.test (Postfix, from userid 1000)\n\tid A1; D\n"
        );
        assert_eq!(
            local("mx.test", "Postfix", None, &id, "D"),
            "Received: by mx.test (Postfix)\n\tid A1; D\n"
        );
    }

    #[test]
    fn comments_stay_closed() {
        for (text, safe) in [("a(b)c", "a(b)c"), ("a)b(", "a?b()"), ("a\\", "a?"), ("j\u{e9}\n", "j???")] {
            assert_eq!(in_comment(text), safe);
        }
    }
}
