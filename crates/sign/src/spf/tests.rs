//! The test suite of RFC 7208, read by a small script where Python and its YAML reader are installed.

use std::collections::HashMap;
use std::net::IpAddr;

use net::dns::{Answer, Data, Kind, Missing};
use serde_json::Value;

use super::{Question, Verdict, check};
use crate::outside::{Boxed, Dns};
use crate::vectors::suite;

/// The records of a scenario.
struct Zone(HashMap<String, Vec<Value>>);

impl Dns for Zone {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Boxed<'a, Result<Answer, Missing>> {
        Box::pin(async move { self.find(name, kind, 0) })
    }
}

impl Zone {
    fn find(&self, name: &str, kind: Kind, hops: u32) -> Result<Answer, Missing> {
        let records = self.0.get(&name.to_ascii_lowercase()).ok_or(Missing::NoSuchName)?;
        let mut found = Vec::new();
        let has_txt = records.iter().any(|record| record.get("TXT").is_some());
        for record in records {
            // What comes before it in the list was answered in time.
            if record == "TIMEOUT" && found.is_empty() {
                return Err(Missing::Temporary("time-out".to_owned()));
            }
            let Some((key, value)) = record.as_object().and_then(|object| object.iter().next()) else {
                continue;
            };
            let text = value.as_str().unwrap_or_default();
            if key == "CNAME" && hops < 8 {
                return self.find(text, kind, hops + 1);
            }
            match (kind, key.as_str()) {
                (Kind::Txt, "TXT") => found.extend(joined(value)),
                // Old cases have records of the type SPF, which stand for texts.
                (Kind::Txt, "SPF") if !has_txt => found.extend(joined(value)),
                (Kind::A, "A") => found.push(Data::A(text.parse().expect("an address"))),
                (Kind::Aaaa, "AAAA") => found.push(Data::Aaaa(text.parse().expect("an address"))),
                (Kind::Ptr, "PTR") => found.push(Data::Ptr(text.to_owned())),
                (Kind::Mx, "MX") => found
                    .push(Data::Mx { preference: 0, host: value[1].as_str().unwrap_or_default().to_owned() }),
                _ => {}
            }
            if kind == Kind::Txt && key == "TXT" && text == "TIMEOUT" {
                return Err(Missing::Temporary("time-out".to_owned()));
            }
        }
        match found.is_empty() {
            true => Err(Missing::NoSuchRecord),
            false => Ok(Answer { name: name.to_owned(), records: found, ttl: 0, authentic: false }),
        }
    }
}

fn joined(value: &Value) -> Option<Data> {
    let text = match value {
        Value::Array(parts) => parts.iter().filter_map(Value::as_str).collect(),
        Value::String(text) if text == "NONE" => return None,
        Value::String(text) => text.clone(),
        _ => return None,
    };
    Some(Data::Txt(text))
}

#[tokio::test]
async fn the_suite_of_the_standard() {
    let Some(scenarios) = suite("spf-rfc7208.yml") else { return };
    let (mut count, mut wrong) = (0, Vec::new());
    for scenario in &scenarios {
        let zone = scenario["zonedata"].as_object().expect("zone data");
        let record = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let zone =
            Zone(zone.iter().map(|(name, value)| (name.to_ascii_lowercase(), record(value))).collect());
        for (name, case) in scenario["tests"].as_object().expect("tests") {
            let text = |key: &str| case[key].as_str().unwrap_or_default();
            let client: IpAddr = text("host").parse().expect("an address");
            let question =
                Question { client, helo: text("helo"), sender: text("mailfrom"), receiver: "receiver.test" };
            let answer = check(&zone, &question, 0).await;
            let expected: Vec<&str> = match &case["result"] {
                Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
                one => one.as_str().into_iter().collect(),
            };
            count += 1;
            if !expected.contains(&answer.verdict.word()) {
                wrong.push(format!(
                    "{name}: {} ({}), not {expected:?}",
                    answer.verdict.word(),
                    answer.because
                ));
            }
            if let Some(explanation) = case["explanation"].as_str()
                && answer.verdict == Verdict::Fail
                && answer.explanation.as_deref().unwrap_or("DEFAULT") != explanation
            {
                wrong.push(format!("{name}: {:?}, not {explanation:?}", answer.explanation));
            }
        }
    }
    assert!(count > 190, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
