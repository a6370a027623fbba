package leaving

// Removable is what stands before every removal, alone.
var Removable = removable
