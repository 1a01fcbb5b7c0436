//! Received bytes, which are wiped when nobody needs them any more.
//!
//! A request brings sensitive authentication data: track 2, the verification value, the PIN block. None of it is read here, but
//! it lies in the bytes of the message until that is answered. Freed memory keeps what it held, and may be swapped or
//! dumped; so what was received is overwritten first. What is out of reach: the buffers of the kernel and of TLS, and
//! bytes that whoever handed them in has shared with others.

use bytes::{Buf, Bytes, BytesMut};
use std::ops::Deref;

/// The bytes of one message.
#[derive(Clone)]
pub(crate) struct Received(Bytes);

impl Received {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl Deref for Received {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        // The last of several owners wipes them.
        let _ = wiped(std::mem::take(&mut self.0));
    }
}

/// Takes so many bytes off the front of a read buffer, and leaves nothing of them there. They are copied, so that the
/// buffer stays one piece that is used again and again, and each message can be wiped by itself.
pub(crate) fn cut(buffer: &mut BytesMut, len: usize) -> Bytes {
    let len = len.min(buffer.len());
    let Some(front) = buffer.get_mut(..len) else { return Bytes::new() };
    let body = Bytes::copy_from_slice(front);
    wipe(front);
    buffer.advance(len);
    body
}

/// The bytes, overwritten; or as they are, where somebody else can still see them.
fn wiped(bytes: Bytes) -> Result<BytesMut, Bytes> {
    let mut bytes = bytes.try_into_mut()?;
    wipe(&mut bytes);
    Ok(bytes)
}

fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // Or the compiler would leave out what it takes for useless: nobody reads these zeros.
    zeroize::optimization_barrier(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_else_holds_is_overwritten() {
        let track_2 = b"4242424242424242=2912";
        let mut buffer = BytesMut::from(&track_2[..]);
        let body = cut(&mut buffer, 16);
        assert_eq!((&body[..], &buffer[..]), (&track_2[..16], &track_2[16..]));
        assert_eq!(wiped(body).unwrap(), [0; 16][..]);
    }

    #[test]
    fn what_somebody_else_holds_stays_until_the_last_lets_go() {
        let body = Bytes::copy_from_slice(b"4242");
        let other = Received::new(body.clone());
        assert_eq!(wiped(body).unwrap_err(), &b"4242"[..]);
        assert_eq!(&other[..], b"4242");
        assert_eq!(wiped(other.0.clone()).unwrap_err(), &b"4242"[..]);
    }

    #[test]
    fn no_more_is_cut_than_there_is() {
        let mut buffer = BytesMut::from(&b"42"[..]);
        assert_eq!(cut(&mut buffer, 9), &b"42"[..]);
        assert!(buffer.is_empty());
    }
}
