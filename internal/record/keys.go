package record

import "hash/maphash"

// fewKeys is the length up to which comparing every key with every other costs less than hashing them.
const fewKeys = 32

// keyIndex finds the keys that come more than once in a list. It keeps its map between calls.
type keyIndex struct {
	seed    maphash.Seed
	byHash  map[uint64]int
	scratch []byte
}

// repeats calls found with the position of each key that comes again later in the list, in which key(i) is the i-th of
// n keys. Keys are not empty.
func repeats[K string | []byte](x *keyIndex, n int, key func(int) K, found func(earlier int)) {
	if n > fewKeys {
		repeatsByHash(x, n, key, found)
		return
	}
	for i := range n {
		if j := lastBefore(i, key); j >= 0 {
			found(j)
		}
	}
}

// class returns one of 64 bits for a key that is not empty. Two keys of a list that have different ones need not be
// compared: of ten keys, one in ten has to be.
func class[K string | []byte](key K) uint64 {
	return 1 << ((uint(len(key))*7 + uint(key[0])*3 + uint(key[len(key)-1])) & 63)
}

func repeatsByHash[K string | []byte](x *keyIndex, n int, key func(int) K, found func(earlier int)) {
	if x.byHash == nil {
		x.seed = maphash.MakeSeed()
		x.byHash = make(map[uint64]int, n)
	}
	for i := range n {
		k := key(i)
		x.scratch = append(x.scratch[:0], k...)
		h := maphash.Bytes(x.seed, x.scratch)
		j, ok := x.byHash[h]
		if ok && string(key(j)) != string(k) {
			j = lastBefore(i, key) // two keys with one hash
		}
		if ok && j >= 0 {
			found(j)
		}
		x.byHash[h] = i
	}
	if n > maxScratch || cap(x.scratch) > maxScratch {
		x.byHash, x.scratch = nil, nil
		return
	}
	clear(x.byHash)
}

// lastBefore returns the last position before i with the same key, or -1.
func lastBefore[K string | []byte](i int, key func(int) K) int {
	k := key(i)
	for j := i - 1; j >= 0; j-- {
		if o := key(j); len(o) == len(k) && string(o) == string(k) {
			return j
		}
	}
	return -1
}
