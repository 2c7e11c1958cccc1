package corpus

import "strings"

// Sample is harmless text for measuring speed.
type Sample struct {
	Name string
	Text []byte
}

// Samples makes texts of about size bytes.
func Samples(seed uint64, size int) []Sample {
	m := newMaker(seed)
	code := m.golang(400)
	for len(code) < size {
		code += m.golang(400)
	}
	image := m.jpeg()
	for len(image) < size/4*3 {
		image = append(image, m.jpeg()...)
	}
	encoded := std64(image)[:size&^3]
	lines := m.accessLog(500)
	lines = strings.Repeat(lines, size/len(lines)+1)
	return []Sample{
		{"LLM turn in JSON", []byte(m.responses(m.word(), size))},
		{"source code", []byte(code[:size])},
		{"screenshot in base64 in JSON", []byte(`{"type":"input_image","image_url":"data:image/jpeg;base64,` + encoded + `"}`)},
		{"access log", []byte(lines[:size])},
	}
}

// Turn is a harmless request to a model of about size bytes.
func Turn(seed uint64, size int) []byte {
	m := newMaker(seed)
	return []byte(m.turn(m.word(), size))
}
