//! TLS of the services of this room, by Dovecot's names or with the SMTP server's certificate.

use std::path::PathBuf;
use std::sync::Arc;

use conf::{Block, Mistake, Severity, View};
use net::params::ServerTls as Smtp;
use net::tls::{KeyFiles, ServerSettings, ServerTls, SniLookup, SniMaps};
use tables::Tables;

use crate::params::Access;

/// Notes in the facts of a session what its handshake has shown.
pub fn note(facts: &mut people::Facts, summary: net::tls::Summary) {
    facts.tls = true;
    let net::tls::Binding { exporter, server_end_point } = summary.binding;
    facts.binding = people::Binding { exporter, server_end_point };
    if summary.trust >= net::tls::Trust::Trusted {
        let name = summary.peer.map(|peer| peer.subject_cn);
        facts.certificate_name = name.filter(|name| !name.is_empty());
    }
}

/// TLS of a service; `None` where it is off or there is no certificate. What is wrong is told.
pub fn read(view: &View, access: &Access, mistakes: &mut Vec<Mistake>) -> Option<ServerTls> {
    if access.ssl == "no" {
        return None;
    }
    let path = |text: &str| {
        let text = text.trim().trim_start_matches('<').trim();
        (!text.is_empty()).then(|| PathBuf::from(text))
    };
    let mut keys = KeyFiles::default();
    let mut parameter = "ssl_cert";
    if let Some(certificate) = path(&access.ssl_cert) {
        let key = path(&access.ssl_key).unwrap_or_else(|| certificate.clone());
        keys.pairs.push((certificate, key));
    } else {
        parameter = "smtpd_tls_chain_files";
        let smtp = Smtp::read(view, mistakes);
        keys.chain_files = smtp.smtpd_tls_chain_files.iter().map(PathBuf::from).collect();
        let given = |path: &PathBuf| !path.as_os_str().is_empty() && path.as_os_str() != "none";
        if given(&smtp.smtpd_tls_cert_file) {
            keys.pairs.push((smtp.smtpd_tls_cert_file, smtp.smtpd_tls_key_file));
        }
    }
    let mut told = |parameter: &str, severity: Severity, text: String| {
        let place = view.place(parameter);
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        mistakes.push(Mistake::new(severity, place, text));
    };
    // Other certificates by the name that the client asks for, as in SMTP.
    let tables = Tables::new(tables::Settings { program: "imapd", ..tables::Settings::default() });
    let sni = match tables.maps("tls_server_sni_maps", &view.get("tls_server_sni_maps")) {
        Ok(maps) => Some(maps).filter(|maps| !maps.is_empty()),
        Err(fault) => {
            told("tls_server_sni_maps", Severity::Error, fault.to_string());
            None
        }
    };
    if keys == KeyFiles::default() && sni.is_none() {
        if access.ssl == "required" || access.ssl_wrappermode {
            let text = "TLS is demanded, and there is no certificate: set ssl_cert or smtpd_tls_chain_files";
            told("ssl", Severity::Error, text.to_owned());
        }
        return None;
    }
    let settings = ServerSettings {
        keys,
        protocols: format!(">={}", access.ssl_min_protocol),
        fingerprint_digest: "sha256".to_owned(),
        ..ServerSettings::default()
    };
    match ServerTls::new(settings, sni.map(|maps| Arc::new(SniMaps(maps)) as Arc<dyn SniLookup>)) {
        Ok((server, remarks)) => {
            for remark in remarks {
                told("ssl_min_protocol", Severity::Warning, remark);
            }
            Some(server)
        }
        Err(trouble) => {
            told(parameter, Severity::Error, trouble.to_string());
            None
        }
    }
}
