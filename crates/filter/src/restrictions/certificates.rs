//! `permit_tls_clientcerts`, `permit_tls_all_clientcerts`, `check_ccert_access`: clients with a certificate.

use crate::access;
use crate::case::{Case, Subject, class};
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};
use crate::{Certificate, Stage};

/// `permit_tls_clientcerts`
pub const PERMIT_LISTED: Restriction = Restriction {
    name: "permit_tls_clientcerts",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Says yes to clients whose certificate or public key is listed in relay_clientcerts.",
    run: permit_listed,
};

/// `permit_tls_all_clientcerts`
pub const PERMIT_ALL: Restriction = Restriction {
    name: "permit_tls_all_clientcerts",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Says yes to clients whose certificate is signed by an authority we trust, or listed in relay_clientcerts.",
    run: permit_all,
};

/// `check_ccert_access`
pub const ACCESS: Restriction = Restriction {
    name: "check_ccert_access",
    argument: Wanted::Table,
    since: Stage::Client,
    doc: "Looks up the fingerprints of the client's certificate and public key in an access table.",
    run: check,
};

fn certificate<'c>(case: &Case<'c>) -> Option<&'c Certificate> {
    case.facts.peer.tls.as_ref()?.certificate.as_ref()
}

fn fingerprints(certificate: &Certificate) -> impl Iterator<Item = &str> {
    [certificate.fingerprint.as_str(), certificate.pubkey_fingerprint.as_str()]
        .into_iter()
        .filter(|print| !print.is_empty())
}

fn permit_listed<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let Some(certificate) = certificate(case) else { return Step::DUNNO };
    Step::later(async move {
        for print in fingerprints(certificate) {
            match case.judge.settings.client_certificates.find(print).await {
                Ok(Some(found)) => {
                    case.note(&found.table, print, found.place.as_deref(), &found.value);
                    let subject = case.client_subject();
                    return case.permit(&rule.name, &subject, "").await;
                }
                Ok(None) => {}
                Err(trouble) => {
                    case.warning(&trouble.to_string());
                    let name = case.subject.name.clone();
                    return case.lookup_failed(&name);
                }
            }
        }
        Decision::Dunno
    })
}

fn permit_all<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    if !certificate(case).is_some_and(|certificate| certificate.trusted) {
        return permit_listed(case, rule);
    }
    Step::later(async move {
        let subject = case.client_subject();
        case.permit(&rule.name, &subject, "").await
    })
}

fn check<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let Some(certificate) = certificate(case) else { return Step::DUNNO };
    Step::later(async move {
        let (maps, table) = rule.table();
        for print in fingerprints(certificate) {
            let found = maps.find(print).await;
            if matches!(found, Ok(None)) {
                continue;
            }
            let subject = Subject { name: certificate.subject.clone(), class: class::CERTIFICATE };
            let before = case.turn_to(subject);
            let decision = access::obey(case, table, print, found).await;
            case.turn_to(before);
            return decision;
        }
        Decision::Dunno
    })
}
