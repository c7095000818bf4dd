//! `permit_mx_backup`: we are a backup exchanger for whoever lists us as one.

use net::dns::{Data, Kind, Missing};
use route::DomainClass;

use crate::Stage;
use crate::case::{Case, Subject, class};
use crate::names;
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};

/// `permit_mx_backup`
pub const RULE: Restriction = Restriction {
    name: "permit_mx_backup",
    argument: Wanted::Nothing,
    since: Stage::Recipient,
    doc: "Says yes to a recipient whose domain names us among its mail exchangers (see permit_mx_backup_networks).",
    run,
};

fn run<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    Step::later(async move {
        match wanted(case).await {
            Ok(true) => {
                let subject = case.subject.clone();
                case.permit(&rule.name, &subject, "").await
            }
            Ok(false) => Decision::Dunno,
            Err(decision) => decision,
        }
    })
}

async fn wanted(case: &mut Case<'_>) -> Result<bool, Decision> {
    let Some(recipient) = case.facts.recipient.filter(|recipient| !recipient.is_null()) else {
        return Ok(false);
    };
    let stop = case.resolve(recipient).await?;
    let Some(domain) = stop.recipient.domain() else { return Ok(true) };
    if stop.class == DomainClass::Local {
        return Ok(true);
    }
    if stop.routed && !case.judge.settings.untrusted_routing {
        return Ok(false);
    }
    if stop.class != DomainClass::Default {
        return Ok(true);
    }
    if names::is_bracketed(domain) {
        return Ok(false);
    }
    let mut exchangers = match case.judge.outside.dns.lookup(domain, Kind::Mx).await {
        Ok(answer) => answer.records.into_iter().filter_map(exchanger).collect::<Vec<_>>(),
        Err(Missing::NoSuchName | Missing::NoSuchRecord) => {
            return Ok(matches!(is_us(case, domain).await, Ok(true)));
        }
        Err(missing) => {
            if missing.is_temporary() {
                let name = recipient.to_string();
                let text = format!("Unable to look up mail exchanger information: {missing}");
                let before = case.turn_to(Subject { name, class: class::RECIPIENT });
                let refusal = case.refusal(450, (4, 4), case.rejected(&text));
                case.turn_to(before);
                case.defer_if_reject(refusal);
            }
            return Ok(false);
        }
    };
    exchangers.sort();
    case.note("DNS", domain, None, &format!("MX {exchangers:?}"));
    Ok(lists_us(case, &exchangers).await && primaries_fit(case, &exchangers).await)
}

fn exchanger(data: Data) -> Option<(u16, String)> {
    match data {
        Data::Mx { preference, host } if !host.is_empty() => Some((preference, host)),
        _ => None,
    }
}

/// Are we one of them, and none of the best? Where we were the primary, somebody forgot to say so. By name first: that
/// costs nothing.
async fn lists_us(case: &mut Case<'_>, exchangers: &[(u16, String)]) -> bool {
    let own = &case.judge.settings.myhostname;
    let Some((best, _)) = exchangers.first() else { return false };
    if let Some((ours, _)) = exchangers.iter().find(|(_, host)| host.eq_ignore_ascii_case(own)) {
        return ours > best;
    }
    let mut doubt = None;
    for (preference, host) in exchangers {
        match is_us(case, host).await {
            Ok(true) => return preference > best,
            Ok(false) => {}
            Err(missing) => {
                doubt.get_or_insert_with(|| format!("{host}: {}", missing.native_text()));
            }
        }
    }
    if let Some(doubt) = doubt {
        let name = case.facts.recipient.map(ToString::to_string).unwrap_or_default();
        let before = case.turn_to(Subject { name, class: class::RECIPIENT });
        let text = format!("Unable to look up mail exchanger host {doubt}");
        let refusal = case.refusal(450, (4, 4), case.rejected(&text));
        case.turn_to(before);
        case.defer_if_reject(refusal);
    }
    false
}

/// Does the host have one of our addresses? The error is why nobody knows for now.
async fn is_us(case: &Case<'_>, host: &str) -> Result<bool, Missing> {
    match case.judge.outside.dns.host(host).await {
        Ok(addresses) => {
            Ok(addresses.iter().any(|address| case.judge.outside.own_addresses.contains(address)))
        }
        Err(missing) if missing.is_temporary() => Err(missing),
        Err(_) => Ok(false),
    }
}

/// With `permit_mx_backup_networks`, a primary exchanger must have its address there.
async fn primaries_fit(case: &Case<'_>, exchangers: &[(u16, String)]) -> bool {
    let networks = &case.judge.settings.backup_networks;
    if networks.is_empty() {
        return true;
    }
    let Some((best, _)) = exchangers.first() else { return false };
    for (_, host) in exchangers.iter().filter(|(preference, _)| preference == best) {
        let Ok(addresses) = case.judge.outside.dns.host(host).await else { continue };
        for address in addresses {
            match networks.matches_host(host, address).await {
                Ok(true) => return true,
                Ok(false) => {}
                Err(trouble) => case.warning(&trouble.to_string()),
            }
        }
    }
    false
}
