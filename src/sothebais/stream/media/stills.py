"""A frame as a picture file."""

import cv2

from sothebais.stream.yuv import Pixels


def png(i420: Pixels, width: int, height: int, wide: int = 0) -> bytes:
    """An I420 frame as PNG, made smaller to ``wide`` pixels where that is less."""
    bgr = cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420)
    if 0 < wide < width:
        bgr = cv2.resize(bgr, (wide, max(1, round(height * wide / width))), interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise ValueError("the frame could not be written as PNG")
    return data.tobytes()
