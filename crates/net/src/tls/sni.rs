//! `tls_server_sni_maps`: certificate chains by server name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail::Trouble;
use tables::Maps;

use super::{SniFound, SniLookup};

/// The tables of `tls_server_sni_maps`. A value is what `postmap -F` stored (the files' content in base64), or the
/// names of the files where the table has not been through postmap.
#[derive(Clone)]
pub struct SniMaps(pub Maps);

impl SniLookup for SniMaps {
    fn find<'a>(&'a self, name: &'a str) -> SniFound<'a> {
        Box::pin(async move {
            let Some(found) = self.0.find(name).await? else { return Ok(None) };
            if let Ok(pem) = STANDARD.decode(found.value.trim())
                && pem.windows(11).any(|start| start == b"-----BEGIN ")
            {
                return Ok(Some(pem));
            }
            let files = found.value;
            tokio::task::spawn_blocking(move || read_all(&files))
                .await
                .map_err(|error| Trouble::from_error("reading a certificate chain", error))?
                .map(Some)
        })
    }
}

fn read_all(files: &str) -> Result<Vec<u8>, Trouble> {
    let mut pem = Vec::new();
    for file in files.split([' ', ',', '\t']).filter(|file| !file.is_empty()) {
        let content = conf::secrets::read(file)
            .map_err(|error| Trouble::from_error(format!("tls_server_sni_maps: {file}"), error))?;
        pem.extend_from_slice(&content);
        pem.push(b'\n');
    }
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_value_is_content_or_file_names() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&one, "-----BEGIN X").unwrap();
        std::fs::write(&two, "second").unwrap();
        let stored = STANDARD.encode("-----BEGIN Y");
        let map = format!(
            "inline:{{ {{a.test={stored}}}, {{b.test={} {}}}, {{c.test=/no/such/file}} }}",
            one.display(),
            two.display()
        );
        let tables = tables::Tables::new(tables::Settings::default());
        let maps = SniMaps(tables.maps("tls_server_sni_maps", &map).unwrap());
        assert_eq!(maps.find("a.test").await.unwrap().unwrap(), b"-----BEGIN Y");
        assert_eq!(maps.find("b.test").await.unwrap().unwrap(), b"-----BEGIN X\nsecond\n");
        assert!(maps.find("c.test").await.unwrap_err().to_string().contains("/no/such/file"));
        assert_eq!(maps.find("d.test").await.unwrap(), None);
    }
}
