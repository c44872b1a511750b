/// Why something is no picture that is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAPicture {
    /// It does not begin as a JPEG does.
    #[error("it is no JPEG")]
    NoJpeg,
    /// It ends before the picture does.
    #[error("it ends before the picture does")]
    CutOff,
    /// No JPEG is so.
    #[error("it is no JPEG as it should be: {0}")]
    Malformed(&'static str),
    /// Another kind of JPEG.
    #[error("{0}; send a baseline JPEG, as browsers make them")]
    Unsupported(&'static str),
    /// It has more pixels than are passed on.
    #[error("a picture of {width}x{height} is larger than 4096x2304; send a smaller one")]
    TooLarge {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
}
