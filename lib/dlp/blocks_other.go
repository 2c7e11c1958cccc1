//go:build purego || !amd64

package dlp

const hasAVX2 = false

func marksWide(c *[blockLen]byte, m *marks) { marksPlain(c, m) }

func sweepWide([]byte) int { return 0 }

func (s *skimmer) pairsWide([]byte) (int, uint64) { return 0, 0 }
