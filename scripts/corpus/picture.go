package corpus

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
)

// screenshot draws something like a window of text on a screen: areas of one
// colour, rows of marks, a shaded picture with noise.
func (m maker) screenshot(width, height int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	background := color.RGBA{30, 30, uint8(30 + m.IntN(60)), 255}
	draw.Draw(img, img.Rect, image.NewUniform(background), image.Point{}, draw.Src)
	for y := 40; y+14 < height; y += 18 { // lines of text
		ink := color.RGBA{uint8(150 + m.IntN(100)), uint8(150 + m.IntN(100)), uint8(100 + m.IntN(150)), 255}
		for x := 20 + 16*m.IntN(5); x < width/2+m.IntN(width/3); x += 8 {
			if m.IntN(6) == 0 {
				continue
			}
			glyph := m.Uint32()
			for i := range 30 {
				if glyph>>i&1 == 1 {
					img.SetRGBA(x+i%5, y+2*(i/5), ink)
				}
			}
		}
	}
	left, top := width*2/3, height/3
	for y := top; y < height-20; y++ { // a picture
		for x := left; x < width-20; x++ {
			img.SetRGBA(x, y, color.RGBA{uint8(x + m.IntN(12)), uint8(y + m.IntN(12)), uint8(x*y/900 + m.IntN(12)), 255})
		}
	}
	return img
}

func (m maker) png() []byte {
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := e.Encode(&b, m.screenshot(640+m.IntN(300), 360+m.IntN(160))); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	return b.Bytes()
}

func (m maker) jpeg() []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m.screenshot(900+m.IntN(300), 500+m.IntN(200)), &jpeg.Options{Quality: 70 + m.IntN(25)}); err != nil {
		panic(err)
	}
	return b.Bytes()
}
