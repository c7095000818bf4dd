//! `always_bcc`, `sender_bcc_maps`, `recipient_bcc_maps`: the tables' part.

use mail::{Address, Trail, Trouble, addresses};
use tables::Maps;

use crate::mapping::Mapper;
use crate::open::Opener;
use crate::rewrite::text;

/// The automatic copies of one configuration.
pub(crate) struct Copies {
    pub sender: Maps,
    pub recipient: Maps,
}

impl Copies {
    pub fn new(opener: &mut Opener<'_>) -> Copies {
        Copies { sender: opener.maps("sender_bcc_maps"), recipient: opener.maps("recipient_bcc_maps") }
    }
}

/// Who gets a copy because of this address.
pub(crate) async fn copy_of(
    mapper: &Mapper,
    maps: &Maps,
    address: &Address,
    trail: &mut Trail,
) -> Result<Option<Address>, Trouble> {
    let found = mapper.find(maps, address.as_str(), trail).await?;
    Ok(found.map(|found| text(addresses::unquote(found.value.as_bytes())).into()))
}
