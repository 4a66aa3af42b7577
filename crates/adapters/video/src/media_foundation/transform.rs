//! One encoder of Media Foundation: a picture in, an access unit out.

#![expect(unsafe_code, reason = "interfaces of the system")]

use std::mem::ManuallyDrop;
use std::time::Instant;

use windows::Win32::Media::MediaFoundation::{
    CODECAPI_AVEncCommonMaxBitRate, CODECAPI_AVEncCommonMeanBitRate, CODECAPI_AVEncCommonRateControlMode,
    CODECAPI_AVEncMPVDefaultBPictureCount, CODECAPI_AVEncMPVGOPSize, CODECAPI_AVEncVideoForceKeyFrame,
    CODECAPI_AVEncVideoMaxQP, CODECAPI_AVEncVideoMinQP, CODECAPI_AVLowLatencyMode, ICodecAPI, IMFActivate,
    IMFMediaType, IMFSample, IMFShutdown, IMFTransform, MF_E_TRANSFORM_NEED_MORE_INPUT, MF_E_TRANSFORM_STREAM_CHANGE,
    MF_LOW_LATENCY, MF_MT_AVG_BITRATE, MF_MT_DEFAULT_STRIDE, MF_MT_FRAME_RATE, MF_MT_FRAME_SIZE, MF_MT_INTERLACE_MODE,
    MF_MT_MAJOR_TYPE, MF_MT_MPEG_SEQUENCE_HEADER, MF_MT_MPEG2_PROFILE, MF_MT_PIXEL_ASPECT_RATIO, MF_MT_SUBTYPE,
    MF_MT_TRANSFER_FUNCTION, MF_MT_VIDEO_NOMINAL_RANGE, MF_MT_VIDEO_PRIMARIES, MF_MT_YUV_MATRIX, MF_TRANSFORM_ASYNC,
    MF_TRANSFORM_ASYNC_UNLOCK, MFMediaType_Video, MFNominalRange_16_235, MFT_FRIENDLY_NAME_Attribute,
    MFT_MESSAGE_NOTIFY_BEGIN_STREAMING, MFT_MESSAGE_NOTIFY_START_OF_STREAM, MFT_OUTPUT_DATA_BUFFER,
    MFT_OUTPUT_STREAM_CAN_PROVIDE_SAMPLES, MFT_OUTPUT_STREAM_PROVIDES_SAMPLES, MFVideoFormat_H264, MFVideoFormat_NV12,
    MFVideoInterlace_Progressive, MFVideoPrimaries_BT709, MFVideoTransFunc_709, MFVideoTransferMatrix_BT709,
    eAVEncCommonRateControlMode_PeakConstrainedVBR, eAVEncH264VProfile_Main,
};
use windows::Win32::System::Variant::VARIANT;
use windows::core::{GUID, Interface};

use super::events::Events;
use super::platform::{Platform, Result, failed};
use crate::encoder::{COARSEST, FINEST, RATE, bits_in_a_second};
use gc_screen::video::with_parameters;

/// Pictures from one that stands alone to the next: only those that are asked
/// for are wanted.
const APART: u32 = 65_535;
/// Units of time in a second.
const TICKS: i64 = 10_000_000;
/// Room for a unit where the encoder does not say how much it needs.
const ROOM: u32 = 1 << 20;
/// How often an encoder may change the form of its stream for one picture.
const CHANGES: usize = 4;

/// An encoder that is ready for pictures of one size.
pub(super) struct Transform {
    activate: IMFActivate,
    transform: IMFTransform,
    codec: ICodecAPI,
    /// The numbers of its only input and output.
    streams: (u32, u32),
    /// Nothing where it answers at once.
    events: Option<Events>,
    name: String,
    size: (usize, usize),
    frame_bytes: usize,
    pictures: i64,
    /// Last: it ends after all that it gave.
    platform: Platform,
}

impl Transform {
    /// The best one that takes such pictures.
    pub(super) fn open(platform: &Platform, size: (usize, usize), frame_bytes: usize) -> Result<Self> {
        let mut why = "there is no video encoder in hardware".to_owned();
        for activate in platform.encoders()? {
            match Self::begin(platform, activate, size, frame_bytes) {
                Ok(transform) => return Ok(transform),
                Err(other) => why = other,
            }
        }
        Err(why)
    }

    fn begin(platform: &Platform, activate: IMFActivate, size: (usize, usize), frame_bytes: usize) -> Result<Self> {
        let name = name(&activate);
        // SAFETY: COM has begun in this thread.
        let transform: IMFTransform = unsafe { activate.ActivateObject() }.map_err(failed(&name))?;
        let codec = transform.cast().map_err(failed(&name))?;
        let (platform, streams) = (platform.clone(), streams(&transform));
        // From here on it is shut down when this is dropped.
        let mut begun =
            Self { platform, activate, transform, codec, streams, events: None, name, size, frame_bytes, pictures: 0 };
        let is_async = begun.unlock().map_err(|error| failed(&begun.name)(error))?;
        begun.prepare();
        begun.types()?;
        if is_async {
            begun.events = Some(Events::listen(&begun.transform)?);
        }
        for message in [MFT_MESSAGE_NOTIFY_BEGIN_STREAMING, MFT_MESSAGE_NOTIFY_START_OF_STREAM] {
            // SAFETY: types are set, as both messages want.
            unsafe { begun.transform.ProcessMessage(message, 0) }.map_err(|error| failed(&begun.name)(error))?;
        }
        Ok(begun)
    }

    /// What the maker calls it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Encoders in hardware are asynchronous, and refuse everything until they
    /// are told that this is known.
    fn unlock(&self) -> windows::core::Result<bool> {
        // SAFETY: constants and plain numbers.
        unsafe {
            let attributes = self.transform.GetAttributes()?;
            // Not every encoder knows it.
            let _: windows::core::Result<()> = attributes.SetUINT32(&MF_LOW_LATENCY, 1);
            let is_async = attributes.GetUINT32(&MF_TRANSFORM_ASYNC).unwrap_or(0) != 0;
            if is_async {
                attributes.SetUINT32(&MF_TRANSFORM_ASYNC_UNLOCK, 1)?;
            }
            Ok(is_async)
        }
    }

    /// What has to be said before types are set. An encoder that knows one of
    /// these not is not refused for it: whether its pictures come at once and in
    /// order is seen from its first unit.
    fn prepare(&self) {
        let rate = bits_in_a_second(self.frame_bytes);
        let settings = [
            (CODECAPI_AVLowLatencyMode, VARIANT::from(true)),
            (CODECAPI_AVEncMPVDefaultBPictureCount, VARIANT::from(0_u32)),
            (CODECAPI_AVEncMPVGOPSize, VARIANT::from(APART)),
            (
                CODECAPI_AVEncCommonRateControlMode,
                VARIANT::from(eAVEncCommonRateControlMode_PeakConstrainedVBR.0.cast_unsigned()),
            ),
            (CODECAPI_AVEncCommonMeanBitRate, VARIANT::from(rate)),
            (CODECAPI_AVEncCommonMaxBitRate, VARIANT::from(rate)),
            (CODECAPI_AVEncVideoMinQP, VARIANT::from(u32::from(FINEST))),
            (CODECAPI_AVEncVideoMaxQP, VARIANT::from(u32::from(COARSEST))),
        ];
        for (name, value) in settings {
            if let Err(error) = self.set(name, &value) {
                tracing::debug!(encoder = self.name, ?name, %error, "a setting that this encoder does not take");
            }
        }
    }

    fn set(&self, name: GUID, value: &VARIANT) -> windows::core::Result<()> {
        // SAFETY: both pointers live through the call.
        unsafe { self.codec.SetValue(&raw const name, value) }
    }

    /// What goes in and what comes out; an encoder wants to know the latter first.
    fn types(&self) -> Result<()> {
        let what = |error| failed(&self.name)(error);
        let output = self.media_type(MFVideoFormat_H264)?;
        let input = self.media_type(MFVideoFormat_NV12)?;
        let width = u32::try_from(self.size.0).map_err(|error| error.to_string())?;
        // SAFETY: plain numbers, and interfaces that live through the calls.
        unsafe {
            output.SetUINT32(&MF_MT_AVG_BITRATE, bits_in_a_second(self.frame_bytes)).map_err(what)?;
            output.SetUINT32(&MF_MT_MPEG2_PROFILE, eAVEncH264VProfile_Main.0.cast_unsigned()).map_err(what)?;
            self.transform.SetOutputType(self.streams.1, &output, 0).map_err(what)?;
            input.SetUINT32(&MF_MT_DEFAULT_STRIDE, width).map_err(what)?;
            self.transform.SetInputType(self.streams.0, &input, 0).map_err(what)
        }
    }

    /// What both types have in common.
    fn media_type(&self, subtype: GUID) -> Result<IMFMediaType> {
        let pair = |high: usize, low: usize| (high as u64) << 32 | low as u64;
        let numbers = [
            (MF_MT_INTERLACE_MODE, MFVideoInterlace_Progressive.0),
            (MF_MT_VIDEO_NOMINAL_RANGE, MFNominalRange_16_235.0),
            (MF_MT_YUV_MATRIX, MFVideoTransferMatrix_BT709.0),
            (MF_MT_TRANSFER_FUNCTION, MFVideoTransFunc_709.0),
            (MF_MT_VIDEO_PRIMARIES, MFVideoPrimaries_BT709.0),
        ];
        let pairs = [
            (MF_MT_FRAME_SIZE, pair(self.size.0, self.size.1)),
            (MF_MT_FRAME_RATE, pair(RATE, 1)),
            (MF_MT_PIXEL_ASPECT_RATIO, pair(1, 1)),
        ];
        let made = self.platform.media_type()?;
        // SAFETY: constants and plain numbers.
        let set = || unsafe {
            made.SetGUID(&MF_MT_MAJOR_TYPE, &MFMediaType_Video)?;
            made.SetGUID(&MF_MT_SUBTYPE, &subtype)?;
            for (name, value) in numbers {
                made.SetUINT32(&raw const name, value.cast_unsigned())?;
            }
            for (name, value) in pairs {
                made.SetUINT64(&raw const name, value)?;
            }
            Ok(())
        };
        set().map_err(failed("a type of video"))?;
        Ok(made)
    }

    /// The unit of one picture; no other picture is needed for it.
    pub(super) fn encode(&mut self, nv12: &[u8], frame_bytes: usize, fresh: bool, until: Instant) -> Result<Vec<u8>> {
        self.follow(frame_bytes);
        if fresh {
            self.set(CODECAPI_AVEncVideoForceKeyFrame, &VARIANT::from(1_u32)).map_err(failed("no fresh picture"))?;
        }
        let sample = self.picture(nv12)?;
        if let Some(events) = &mut self.events {
            events.wanted(until)?;
        }
        // SAFETY: the sample lives through the call, and as long as the encoder
        // refers to it.
        unsafe { self.transform.ProcessInput(self.streams.0, &sample, 0) }.map_err(failed("a picture is refused"))?;
        for _ in 0..CHANGES {
            if let Some(events) = &mut self.events {
                events.made(until)?;
            }
            if let Some(unit) = self.output()? {
                return Ok(with_parameters(unit, &self.parameters()));
            }
        }
        Err("its stream changes all the time".into())
    }

    /// Let pictures take about so many bytes from now on.
    fn follow(&mut self, frame_bytes: usize) {
        if (self.frame_bytes * 7 / 8..=self.frame_bytes * 9 / 8).contains(&frame_bytes) {
            return;
        }
        self.frame_bytes = frame_bytes;
        let rate = bits_in_a_second(frame_bytes);
        for name in [CODECAPI_AVEncCommonMaxBitRate, CODECAPI_AVEncCommonMeanBitRate] {
            if let Err(error) = self.set(name, &VARIANT::from(rate)) {
                tracing::debug!(encoder = self.name, rate, %error, "the video encoder keeps its rate");
            }
        }
    }

    /// A picture as the encoder takes it.
    fn picture(&mut self, nv12: &[u8]) -> Result<IMFSample> {
        let (sample, buffer) = (self.platform.sample()?, self.platform.buffer(nv12.len())?);
        let apart = TICKS / RATE as i64;
        let (mut to, mut room) = (std::ptr::null_mut(), 0);
        // SAFETY: the buffer has room for as many bytes as it says, and is not
        // used any more when it is unlocked.
        let filled = unsafe {
            buffer.Lock(&raw mut to, Some(&raw mut room), None).and_then(|()| {
                let length = nv12.len().min(room as usize);
                std::ptr::copy_nonoverlapping(nv12.as_ptr(), to, length);
                buffer.Unlock()?;
                buffer.SetCurrentLength(u32::try_from(length).unwrap_or(0))?;
                sample.AddBuffer(&buffer)?;
                sample.SetSampleTime(self.pictures * apart)?;
                sample.SetSampleDuration(apart)
            })
        };
        filled.map_err(failed("a picture has no memory"))?;
        self.pictures += 1;
        Ok(sample)
    }

    /// The unit that is ready; nothing where the stream changes its form first.
    fn output(&self) -> Result<Option<Vec<u8>>> {
        // SAFETY: types are set.
        let info = unsafe { self.transform.GetOutputStreamInfo(self.streams.1) }.map_err(failed("no output"))?;
        let provides = MFT_OUTPUT_STREAM_PROVIDES_SAMPLES.0 | MFT_OUTPUT_STREAM_CAN_PROVIDE_SAMPLES.0;
        let own = if info.dwFlags & provides.cast_unsigned() == 0 { Some(self.room(info.cbSize)?) } else { None };
        let mut outputs = [MFT_OUTPUT_DATA_BUFFER {
            dwStreamID: self.streams.1,
            pSample: ManuallyDrop::new(own),
            dwStatus: 0,
            pEvents: ManuallyDrop::new(None),
        }];
        let mut status = 0;
        // SAFETY: the buffers live through the call; whatever is in them then is
        // ours, and is taken out of them once.
        let (outcome, sample) = unsafe {
            let outcome = self.transform.ProcessOutput(0, &mut outputs, &raw mut status);
            let [output] = &mut outputs;
            drop(ManuallyDrop::take(&mut output.pEvents));
            (outcome, ManuallyDrop::take(&mut output.pSample))
        };
        match outcome {
            Ok(()) => sample.ok_or("a unit without bytes".to_owned()).and_then(|sample| bytes(&sample)).map(Some),
            Err(error) if error.code() == MF_E_TRANSFORM_STREAM_CHANGE => {
                // SAFETY: the type is the encoder's own.
                let changed = unsafe {
                    let next = self.transform.GetOutputAvailableType(self.streams.1, 0);
                    next.and_then(|next| self.transform.SetOutputType(self.streams.1, &next, 0))
                };
                changed.map_err(failed("its stream changes"))?;
                Ok(None)
            }
            Err(error) if error.code() == MF_E_TRANSFORM_NEED_MORE_INPUT => Err("it holds pictures back".into()),
            Err(error) => Err(failed("a picture is not encoded")(error)),
        }
    }

    /// Memory for a unit.
    fn room(&self, size: u32) -> Result<IMFSample> {
        let (sample, buffer) = (self.platform.sample()?, self.platform.buffer(size.max(ROOM) as usize)?);
        // SAFETY: both are ours.
        unsafe { sample.AddBuffer(&buffer) }.map_err(failed("a unit has no memory"))?;
        Ok(sample)
    }

    /// The parameters that the encoder tells beside its stream, if it does.
    fn parameters(&self) -> Vec<u8> {
        // SAFETY: the buffer is as long as the encoder says.
        let read = || unsafe {
            let current = self.transform.GetOutputCurrentType(self.streams.1)?;
            let mut header = vec![0; current.GetBlobSize(&MF_MT_MPEG_SEQUENCE_HEADER)? as usize];
            current.GetBlob(&MF_MT_MPEG_SEQUENCE_HEADER, &mut header, None)?;
            windows::core::Result::Ok(header)
        };
        read().unwrap_or_default()
    }
}

impl Drop for Transform {
    fn drop(&mut self) {
        // SAFETY: neither is used after this. Shut down, it forgets who listens.
        unsafe {
            if let Ok(shutdown) = self.transform.cast::<IMFShutdown>() {
                let _: windows::core::Result<()> = shutdown.Shutdown();
            }
            let _: windows::core::Result<()> = self.activate.ShutdownObject();
        }
    }
}

/// The numbers of the first input and output; zero where it does not say.
fn streams(transform: &IMFTransform) -> (u32, u32) {
    let (mut input, mut output) = ([0], [0]);
    // SAFETY: an encoder has one of each.
    match unsafe { transform.GetStreamIDs(&mut input, &mut output) } {
        Ok(()) => (input[0], output[0]),
        Err(_) => (0, 0),
    }
}

fn name(activate: &IMFActivate) -> String {
    let mut text = [0; 128];
    let mut length = 0;
    // SAFETY: the buffer is as long as it is said to be.
    let known = unsafe { activate.GetString(&MFT_FRIENDLY_NAME_Attribute, &mut text, Some(&raw mut length)) };
    let text = text.get(..length as usize).filter(|text| known.is_ok() && !text.is_empty());
    text.map_or_else(|| "an encoder without a name".into(), String::from_utf16_lossy)
}

/// A sample's bytes.
fn bytes(sample: &IMFSample) -> Result<Vec<u8>> {
    let (mut from, mut length) = (std::ptr::null_mut(), 0);
    // SAFETY: the buffer has as many bytes as it says, and they are copied before
    // it is unlocked.
    let copied = unsafe {
        sample.ConvertToContiguousBuffer().and_then(|buffer| {
            buffer.Lock(&raw mut from, None, Some(&raw mut length))?;
            let bytes = std::slice::from_raw_parts(from, length as usize).to_vec();
            buffer.Unlock()?;
            Ok(bytes)
        })
    };
    copied.map_err(failed("a unit cannot be read"))
}
