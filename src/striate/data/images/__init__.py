"""One encoded image to pixels, by stated rules.

Comes in: the bytes of a file.  Goes out: (C, h, w) uint8 or uint16, C 1 or 3, upright; or
``BadImage`` with the reason.  May import: Pillow, simplejpeg, numpy.

The content decides what a file is, never its name.  Read are JPEG, PNG, GIF, BMP, TIFF, WebP and
PPM.  The rules, each counted in a data set's notes where it applied:

- gray stays one channel, 1-bit becomes 0 and 255, a palette becomes RGB;
- transparency is composited over white, rounded to the nearest value;
- CMYK, YCCK and YCbCr become RGB as Pillow converts them, without colour profiles;
- 16 bits stay 16 bits; a format whose second byte Pillow would drop is read here (PNG) or refused
  (colour TIFF and PPM); a TIFF that counts from white is turned over;
- the EXIF orientation is applied; EXIF that cannot be read counts as upright;
- refused: truncated or corrupt files, several frames (MPO excepted: its first picture is the
  photograph), floats, signed and 32-bit integers, Lab.

Plain JPEG (8 bits, baseline or progressive, gray or three channels, usual subsampling) is decoded
by simplejpeg or Pillow, whichever the data set names; all other files by Pillow.
"""
