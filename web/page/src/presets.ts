export interface Preset {
  name: string;
  prompt: string;
}

export const PRESETS: readonly Preset[] = [
  { name: "Describe", prompt: "Describe what you see in one or two sentences." },
  {
    name: "Count people",
    prompt: "How many people are in view? Give the number first, then say where each one is.",
  },
  { name: "Activity", prompt: "What is the person doing right now? Answer in one short sentence." },
  {
    name: "Read text",
    prompt: "Read out all the text you can see, line by line. If there is none, say so.",
  },
  {
    name: "Objects",
    prompt: "List the main objects, the most prominent first, and where each is.",
  },
  {
    name: "Hazards",
    prompt:
      "Is anything here unsafe? Look for fire, smoke, spills, blocked ways, loose cables and missing protection. Name each hazard, or answer “Nothing unsafe in view”.",
  },
  { name: "Colours", prompt: "Name the main colours and what has each of them." },
  { name: "Gesture", prompt: "What gesture or sign are the hands making? If none, say so." },
  {
    name: "What changed",
    prompt: "Say what is moving or looks as if it has just changed. If all is still, say so.",
  },
  {
    name: "As JSON",
    prompt:
      'Answer with JSON only, in this form: {"people": 0, "objects": ["…"], "text": ["…"], "summary": "…"}',
  },
];
