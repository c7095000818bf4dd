//! STARTTLS and wrapper mode.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use conf::{Block, Mistake, Severity, View};
use filter::Certificate;
use net::drive::Server;
use net::params::ServerTls as Params;
use net::tls::{HandshakeError, KeyFiles, ServerSettings, ServerTls, SniLookup, SniMaps, Summary, Trust};
use proto::smtp::server::Answer;
use proto::smtp::{Command, Reply};
use tables::Tables;

use super::counters::What;
use super::said::Said;
use super::service::mistake;
use super::session::Session;

/// TLS as a service offers it.
#[derive(Default)]
pub(super) struct Encryption {
    /// TLS is on, and announced: with a bad certificate, too, so that clients hear 454 and the mistake shows.
    pub offered: bool,
    /// The certificate and all that; `None` when TLS is off, or has no certificate.
    pub server: Option<ServerTls>,
    /// Nothing of importance is said in clear (`smtpd_tls_security_level = encrypt`).
    pub enforced: bool,
    /// The session starts with the handshake (`smtpd_tls_wrappermode`).
    pub wrapper: bool,
    /// A client without a trusted certificate is turned away (`smtpd_tls_req_ccert`).
    pub requires_certificate: bool,
    /// A client is asked for a certificate.
    pub asks_certificate: bool,
    /// `smtpd_tls_received_header`.
    pub in_received: bool,
    /// `smtpd_tls_loglevel`.
    pub log_level: i64,
}

impl Encryption {
    /// Reads the parameters and loads the files. Without a certificate there is no TLS, and the mistake says so.
    pub fn read(view: &View, tables: &Tables, mistakes: &mut Vec<Mistake>) -> Encryption {
        let params = Params::read(view, mistakes);
        let level = params.smtpd_tls_security_level.as_str();
        let (offered, enforced) = match level {
            "" => (params.smtpd_use_tls || params.smtpd_enforce_tls, params.smtpd_enforce_tls),
            "none" => (false, false),
            "may" => (true, false),
            _ => (true, true),
        };
        let enforced = enforced || params.smtpd_tls_wrappermode;
        if !offered && !params.smtpd_tls_wrappermode {
            return Encryption::default();
        }
        let requires_certificate = params.smtpd_tls_req_ccert && enforced;
        let server = server(view, tables, &params, enforced, mistakes);
        Encryption {
            offered: true,
            server,
            enforced,
            wrapper: params.smtpd_tls_wrappermode,
            requires_certificate,
            asks_certificate: params.smtpd_tls_ask_ccert || requires_certificate,
            in_received: params.smtpd_tls_received_header,
            log_level: params.smtpd_tls_loglevel,
        }
    }
}

fn server(
    view: &View,
    tables: &Tables,
    params: &Params,
    enforced: bool,
    mistakes: &mut Vec<Mistake>,
) -> Option<ServerTls> {
    let given = |path: &Path| !path.as_os_str().is_empty() && path != Path::new("none");
    let pairs = [
        (&params.smtpd_tls_cert_file, &params.smtpd_tls_key_file),
        (&params.smtpd_tls_eccert_file, &params.smtpd_tls_eckey_file),
    ];
    let keys = KeyFiles {
        chain_files: params.smtpd_tls_chain_files.iter().map(PathBuf::from).collect(),
        pairs: pairs
            .into_iter()
            .filter(|(certificate, _)| given(certificate))
            .map(|(certificate, key)| (certificate.clone(), key.clone()))
            .collect(),
    };
    if keys == KeyFiles::default() {
        let text = "TLS is on, and there is no certificate: set smtpd_tls_chain_files; TLS won't be enabled";
        mistakes.push(mistake(view, "smtpd_tls_security_level", Severity::Warning, text));
        return None;
    }
    let mut exclude = params.smtpd_tls_exclude_ciphers.join(" ");
    if enforced {
        exclude.push(' ');
        exclude.push_str(&params.smtpd_tls_mandatory_exclude_ciphers.join(" "));
    }
    let protocols =
        if enforced { &params.smtpd_tls_mandatory_protocols } else { &params.smtpd_tls_protocols };
    let yes = |name: &str| view.get(name).eq_ignore_ascii_case("yes");
    let some = |path: &PathBuf| Some(path.clone()).filter(|path| given(path));
    let settings = ServerSettings {
        keys,
        ca_file: some(&params.smtpd_tls_CAfile),
        ca_path: some(&params.smtpd_tls_CApath),
        default_ca: yes("tls_append_default_CA"),
        ask_ccert: params.smtpd_tls_ask_ccert,
        require_ccert: params.smtpd_tls_req_ccert && enforced,
        protocols: protocols.clone(),
        exclude_ciphers: exclude.trim().to_owned(),
        fingerprint_digest: params.smtpd_tls_fingerprint_digest.clone(),
        prefer_server_ciphers: yes("tls_preempt_cipherlist"),
    };
    let sni = match tables.maps("tls_server_sni_maps", &view.get("tls_server_sni_maps")) {
        Ok(maps) => Some(maps).filter(|maps| !maps.is_empty()),
        Err(fault) => {
            mistakes.push(mistake(view, "tls_server_sni_maps", Severity::Error, &fault.to_string()));
            None
        }
    };
    match ServerTls::new(settings, sni.map(|maps| Arc::new(SniMaps(maps)) as Arc<dyn SniLookup>)) {
        Ok((server, remarks)) => {
            for remark in remarks {
                mistakes.push(mistake(view, "smtpd_tls_protocols", Severity::Warning, &remark));
            }
            Some(server)
        }
        Err(trouble) => {
            mistakes.push(mistake(view, "smtpd_tls_chain_files", Severity::Error, &trouble.to_string()));
            None
        }
    }
}

impl Session {
    /// STARTTLS.
    pub(super) fn starttls(&mut self, command: &Command<'_>) -> Said {
        let encryption = &self.service.encryption;
        if !command.args().is_empty() {
            return Said::error(Reply::new(501, (5, 4), "Syntax: STARTTLS"));
        }
        if self.tls.is_some() {
            return Said::error(Reply::new(554, (5, 1), "Error: TLS already active"));
        }
        if !encryption.offered || self.discarded.has("starttls") {
            return Said::error(Reply::new(502, (5, 1), "Error: command not implemented"));
        }
        if encryption.server.is_none() {
            return Said::error(Reply::new(454, (7, 0), "TLS not available due to local problem"));
        }
        if let Some(refused) = self.too_many_tls_sessions() {
            return refused;
        }
        Said::new(Answer::StartTls(Reply::new(220, (0, 0), "Ready to start TLS")), true)
    }

    fn too_many_tls_sessions(&self) -> Option<Said> {
        let limit = self.service.rates.smtpd_client_new_tls_session_rate_limit;
        let (_, address) = self.over_limit(What::TlsSessions, limit)?;
        log::warn!(
            target: self.program(),
            "Refusing STARTTLS request from {} for service {}", self.peer.label(), self.service.name
        );
        let text = format!("Error: too many new TLS sessions from {address}");
        Some(Said::error(Reply::new(454, (7, 0), text)))
    }

    /// The handshake. The client starts over: what it said in clear counts for nothing.
    pub(super) async fn shake_hands(&mut self, server: &mut Server) -> bool {
        let Some(tls) = self.service.encryption.server.clone() else {
            log::warn!(
                target: self.program(),
                "Wrapper-mode request dropped from {} for service {}. TLS context initialization failed. \
                 For details see earlier warnings in your logs.",
                self.peer.label(), self.service.name
            );
            return false;
        };
        let timeout = self.pace().starttls_timeout;
        match server.start_tls(&tls, timeout).await {
            Ok(summary) => {
                self.encrypted(summary);
                true
            }
            Err(error) => {
                let label = self.peer.label();
                match error {
                    HandshakeError::Failed(why) => {
                        log::info!(target: self.program(), "SSL_accept error from {label}: {why}");
                    }
                    HandshakeError::Lost => {
                        log::info!(target: self.program(), "SSL_accept error from {label}: lost connection");
                    }
                    HandshakeError::TimedOut => {
                        log::info!(target: self.program(), "SSL_accept error from {label}: Connection timed out");
                    }
                }
                self.ended = Some("lost connection");
                false
            }
        }
    }

    fn encrypted(&mut self, summary: Summary) {
        if self.service.encryption.log_level >= 1 {
            log::info!(
                target: self.program(),
                "{} TLS connection established from {}: {}",
                summary.trust.word(), self.peer.label(), summary.describe()
            );
        }
        self.peer.tls = Some(Box::new(filter::Tls {
            protocol: summary.protocol.clone(),
            cipher: summary.cipher.clone(),
            keysize: u32::from(summary.bits.0),
            certificate: summary.peer.as_ref().map(|peer| Certificate {
                subject: peer.subject_cn.clone(),
                issuer: peer.issuer_cn.clone(),
                fingerprint: peer.fingerprint.clone(),
                pubkey_fingerprint: peer.key_fingerprint.clone(),
                trusted: summary.trust >= Trust::Trusted,
            }),
            binding: summary.binding.clone(),
        }));
        self.tls = Some(Box::new(summary));
        self.forget_helo();
        self.peer.client.sasl_username.clear();
        self.peer.client.sasl_method.clear();
    }

    /// `smtpd_tls_req_ccert`: the last word to a client whose certificate is not good enough.
    pub(super) fn unwanted_certificate(&self) -> Option<Reply> {
        let tls = self.tls.as_ref().filter(|_| self.service.encryption.requires_certificate)?;
        let why = match tls.trust {
            Trust::Anonymous => "No client certificate presented",
            Trust::Untrusted => "Client certificate not trusted",
            Trust::Trusted | Trust::Verified => return None,
        };
        log::info!(target: self.program(), "NOQUEUE: abort: TLS from {}: {why}", self.peer.label());
        Some(Reply::new(421, (7, 1), format!("{} Error: {why}", self.host())))
    }
}
