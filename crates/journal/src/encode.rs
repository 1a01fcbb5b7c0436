//! Writes a value as bytes: little-endian integers of fixed width, a byte before what may be missing, four bytes for the
//! variant of an enum, eight for the length of a text or a list, and nothing else.
//!
//! That is what `bincode` 2 writes with fixed-width integers, byte for byte, and `bincode` reads it. It is written here
//! because a fact is some eighty fields of a few bytes each, and nearly all of what `bincode` takes for one is the way
//! to each of them: here every field is a handful of instructions.

use serde::Serialize;
use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use std::fmt::Display;

/// Why a value cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(Box<str>);

impl Error for EncodeError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string().into())
    }
}

/// Appends values to a vector.
pub(crate) struct Encoder<'a>(pub(crate) &'a mut Vec<u8>);

type Done = Result<(), EncodeError>;

impl Encoder<'_> {
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) -> Done {
        self.0.extend_from_slice(&bytes);
        Ok(())
    }

    #[inline]
    fn length(&mut self, length: usize) -> Done {
        self.put((length as u64).to_le_bytes())
    }
}

/// Numbers of fixed width.
macro_rules! numbers {
    ($($write:ident: $number:ty,)+) => {
        $(
            #[inline]
            fn $write(self, value: $number) -> Done {
                self.put(value.to_le_bytes())
            }
        )+
    };
}

impl<'e, 'a> Serializer for &'e mut Encoder<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_f32: f32,
        serialize_f64: f64,
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Done {
        self.put([u8::from(value)])
    }

    #[inline]
    fn serialize_char(self, value: char) -> Done {
        self.0.extend_from_slice(value.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Done {
        self.serialize_bytes(text.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        self.length(bytes.len())?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Done {
        self.put([0])
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.put([1])?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Done {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Done {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, variant: u32, _: &'static str) -> Done {
        self.put(variant.to_le_bytes())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        value: &T,
    ) -> Done {
        self.put(variant.to_le_bytes())?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Self, EncodeError> {
        let length = length.ok_or_else(|| EncodeError::custom("a list does not say how long it is"))?;
        self.length(length)?;
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self, EncodeError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, EncodeError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, EncodeError> {
        self.put(variant.to_le_bytes())?;
        Ok(self)
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Self, EncodeError> {
        self.serialize_seq(length)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, EncodeError> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, EncodeError> {
        self.put(variant.to_le_bytes())?;
        Ok(self)
    }
}

/// Values with parts: these follow one another, with nothing between and nothing behind.
macro_rules! parts {
    ($($compound:ident { $($part:ident($($name:ident: $string:ty)?),)+ })+) => {
        $(
            impl $compound for &mut Encoder<'_> {
                type Ok = ();
                type Error = EncodeError;

                $(
                    #[inline(always)] // or each of a fact's fields would be a call
                    fn $part<T: Serialize + ?Sized>(&mut self, $($name: $string,)? value: &T) -> Done {
                        value.serialize(&mut **self)
                    }
                )+

                #[inline]
                fn end(self) -> Done {
                    Ok(())
                }
            }
        )+
    };
}

parts! {
    SerializeSeq { serialize_element(), }
    SerializeTuple { serialize_element(), }
    SerializeTupleStruct { serialize_field(), }
    SerializeTupleVariant { serialize_field(), }
    SerializeMap { serialize_key(), serialize_value(), }
    SerializeStruct { serialize_field(_name: &'static str), }
    SerializeStructVariant { serialize_field(_name: &'static str), }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    /// One of everything that serde knows.
    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    enum Any {
        Unit,
        New(Option<u16>),
        Tuple(i8, (u32, [u8; 3]), char),
        Struct { list: Vec<Any>, map: BTreeMap<String, i64>, wide: i128, flag: bool, nothing: () },
    }

    fn any_value() -> impl Strategy<Value = Any> {
        let leaf = prop_oneof![
            Just(Any::Unit),
            any::<Option<u16>>().prop_map(Any::New),
            any::<(i8, (u32, [u8; 3]), char)>().prop_map(|(one, two, three)| Any::Tuple(one, two, three)),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let map = prop::collection::btree_map(".{0,5}", any::<i64>(), 0..3);
            (prop::collection::vec(inner, 0..4), map, any::<i128>(), any::<bool>())
                .prop_map(|(list, map, wide, flag)| Any::Struct { list, map, wide, flag, nothing: () })
        })
    }

    proptest! {
        #[test]
        fn every_byte_is_the_one_that_bincode_writes_and_bincode_reads_it(value in any_value()) {
            let configuration = bincode::config::standard().with_fixed_int_encoding();
            let mut ours = Vec::new();
            value.serialize(&mut Encoder(&mut ours)).unwrap();
            prop_assert_eq!(&ours, &bincode::serde::encode_to_vec(&value, configuration).unwrap());
            let (read, length): (Any, usize) =
                bincode::serde::decode_from_slice(&ours, configuration).unwrap();
            prop_assert_eq!((read, length), (value, ours.len()));
        }
    }

    #[test]
    fn a_list_that_does_not_know_its_length_is_refused() {
        struct Endless;
        impl Serialize for Endless {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_seq(None)?.end()
            }
        }
        let error = Endless.serialize(&mut Encoder(&mut Vec::new())).unwrap_err();
        assert_eq!(error.to_string(), "a list does not say how long it is");
    }
}
