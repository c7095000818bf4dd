//! What the header of a part says of its body and, for a message, its ENVELOPE.

use crate::fields::{Field, fields};
use crate::structure::{Kind, Mime, Part};
use crate::{Envelope, Limits, params};

/// Reads a header into `part`. Answers the boundary when it is a multipart with one.
///
/// `is_message`: the part is a message, not one part of a multipart; then fields about MIME count only beside a
/// MIME-Version or Content-Type. `digest`: without a Content-Type it holds a message (RFC 2046 5.1.5).
pub(crate) fn read(
    header: &[u8],
    is_message: bool,
    digest: bool,
    limits: &Limits,
    part: &mut Part,
) -> Option<Vec<u8>> {
    let header = &header[..header.len().min(limits.header)];
    let mut mime = Mime::default();
    let mut is_mime = !is_message;
    let mut envelope = is_message.then(Envelope::default);
    for field in fields(header).take(limits.fields) {
        is_mime |= field.is("MIME-Version") || field.is("Content-Type");
        if has_prefix(field.name, b"content-") {
            content(&mut mime, &field, limits);
        } else if let Some(envelope) = &mut envelope {
            envelope.field(&field, limits);
        }
    }
    if !is_mime {
        mime = Mime::default();
    }
    if digest && mime.media_type.is_none() {
        mime.media_type = Some((b"message".to_vec(), b"rfc822".to_vec()));
    }
    part.kind = match () {
        () if mime.is("multipart", None) => Kind::Multipart,
        () if mime.is("message", Some("rfc822")) => Kind::Message,
        () => Kind::Leaf,
    };
    let boundary = params::get(&mime.parameters, "boundary").map(<[u8]>::to_vec);
    part.mime = mime;
    part.envelope = envelope.map(|mut envelope| {
        envelope.complete();
        Box::new(envelope)
    });
    boundary.filter(|_| part.kind == Kind::Multipart)
}

fn has_prefix(name: &[u8], prefix: &[u8]) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn content(mime: &mut Mime, field: &Field, limits: &Limits) {
    let most = limits.parameters;
    let text = |slot: &mut Option<Vec<u8>>| {
        slot.get_or_insert_with(|| field.unfolded());
    };
    match field.name[b"content-".len()..].to_ascii_lowercase().as_slice() {
        b"type" if mime.media_type.is_none() => {
            let (kind, subtype, parameters) = params::content_type(&field.unfolded(), most);
            mime.media_type = Some((kind, subtype));
            mime.parameters = parameters;
        }
        b"transfer-encoding" if mime.encoding.is_none() => {
            mime.encoding = params::encoding(&field.unfolded());
        }
        b"id" => text(&mut mime.id),
        b"description" => text(&mut mime.description),
        b"md5" => text(&mut mime.md5),
        b"location" => text(&mut mime.location),
        b"disposition" if mime.disposition.as_ref().is_none_or(|(_, list)| list.is_empty()) => {
            mime.disposition = Some(params::disposition(&field.unfolded(), most))
        }
        b"language" if mime.languages.is_empty() => {
            mime.languages = params::languages(&field.unfolded(), most);
        }
        _ => {}
    }
}
